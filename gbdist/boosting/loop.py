"""The boosting loop: what every rank runs on its own rows, and all there is to one training run.

``collective`` is the only way in which ranks influence each other; after each tree all of them hold the same ensemble.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.derivatives import Derivatives
from gbdist.boosting.events import Event, Listener, RunFinished, RunStarted, TreeGrown
from gbdist.boosting.features import BinnedFeatures, TreeFeatures
from gbdist.boosting.gradients import GradientFacts, GradientSurvey
from gbdist.boosting.grow import GrowthRules, grow
from gbdist.boosting.grow_leaves import grow_leaves
from gbdist.boosting.histogram import check_table_size
from gbdist.boosting.leaf_rows import WalkStart
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.measured import measured_loss
from gbdist.boosting.monotone import constraint_of
from gbdist.boosting.noise import noise_left
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import survey_population, with_weights
from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.rows import Rows
from gbdist.boosting.sampling import Sampler
from gbdist.boosting.scores import DataSet, score_all
from gbdist.boosting.start import crew_for, groups_of, start_value, without_ignored, work_on
from gbdist.boosting.stopping import Detector
from gbdist.categories.begin import begin, categorical_features
from gbdist.errors import ParameterError
from gbdist.models.history import History, MetricTable, history_of, set_names
from gbdist.models.statistics import CategoricalPart
from gbdist.models.tree import Tree
from gbdist.objectives.cox import Cox

#: Bounds of predictions that are exponents may be above what was measured by this.
_LOOSE = 1.0


@dataclass(frozen=True)
class BoostResult:
    """What a run ends with; the same on every rank but for ``predictions``.

    Parameters
    ----------
    trees : tuple of ObliviousTree or of NonSymmetricTree
        Cut after the best iteration where ``use_best_model`` asks for it.
    bias : float64 [dimension]
    scores : metrics after each tree that was grown, empty where none were computed
    best_iteration : int
        −1 without an eval set.
    best_value : float
        Eval metric of the best iteration, NaN without an eval set.
    stopped : "iterations", "overfitting" or "callback"
    predictions : float64 [dimension, n]
        The trainer's own raw predictions of this rank's training rows, after all trees that were grown.
    eval_predictions : float64 [dimension, n] of each eval set
        As the finished model predicts, if all its trees are kept.
    categories : CategoricalPart
        What the model has beside binned columns; tables are there on rank 0 alone.
    left_out : int
        Combinations of categorical columns that did not compete, because a level had too many.
    """

    trees: tuple[Tree, ...]
    bias: NDArray[np.float64]
    scores: tuple[MetricTable, ...]
    best_iteration: int
    best_value: float
    stopped: str
    predictions: NDArray[np.float64] = field(repr=False)
    eval_predictions: tuple[NDArray[np.float64], ...] = field(repr=False)
    categories: CategoricalPart
    left_out: int

    @property
    def history(self) -> History:
        """Data set → metric → one value for each time it was evaluated."""
        return history_of(self.scores)


def boost(
    train: Rows,
    evals: Sequence[Rows],
    n_bins: NDArray[np.int64],
    params: BoostParams,
    collective: Collective,
    listeners: Sequence[Listener] = (),
) -> BoostResult:
    """Grow trees until ``params`` or a listener says stop.

    Parameters
    ----------
    train, evals : this rank's rows of the training set and of each eval set
    n_bins : int64 [n_features]
        Bins of each feature: its number of borders + 1.
    listeners : heard on this rank; a True answer to ``TreeGrown`` ends the run on all ranks.
    """
    with crew_for(params, train, collective) as crew:
        return _add_trees(_Run(train, evals, n_bins, params, collective, crew), listeners)


def _add_trees(run: "_Run", listeners: Sequence[Listener]) -> BoostResult:
    """The loop itself. The run's arrays are let go at its end, before the crew gives back the memory they lay in."""
    run.tell(listeners, run.started())
    while run.stopped is None:
        run.add_tree()
        wants_stop = run.tell(listeners, run.grown())
        run.decide(wants_stop)
    run.tell(listeners, RunFinished(len(run.trees), run.stopped))
    return run.result()


class _Run:
    """State of one run on one rank: predictions of all sets, trees so far, and what the last round told."""

    def __init__(
        self,
        train: Rows,
        evals: Sequence[Rows],
        n_bins: NDArray[np.int64],
        params: BoostParams,
        collective: Collective,
        crew: Crew,
    ) -> None:
        self.params, self.collective, self.crew = params, collective, crew
        n_bins = without_ignored(n_bins, params)
        widths = n_bins if params.categories is None else np.append(n_bins, params.categories.most_bins)
        if params.grow_policy == "SymmetricTree":
            check_table_size(widths, params.objective.dimension, params.depth)
        populations = [survey_population(rows, collective) for rows in (train, *evals)]
        groups, self.params, self.population = groups_of(train, params, populations[0], collective)
        params = self.params
        self.bias = start_value(params, train, self.population, collective, crew.host)
        sets = [
            with_weights(rows, population.weighted)
            for rows, population in zip((train, *evals), populations, strict=True)
        ]
        start = begin(sets, n_bins, params, collective, crew) if params.categories is not None else None
        sets = sets if start is None else list(start.sets)
        self.sets = [
            DataSet.at_start(name, rows, population, self.bias, params.objective, crew)
            for name, rows, population in zip(set_names(len(evals)), sets, populations, strict=True)
        ]
        if isinstance(params.objective, Cox):
            for data, rows in zip(self.sets, sets, strict=True):
                data.risk = RiskOrder(rows, collective)
        trained = self.sets[0].rows
        self.features: TreeFeatures = (
            BinnedFeatures(trained, n_bins, params.penalties)
            if start is None
            else categorical_features(start, trained, crew)
        )
        # Each permutation has predictions of its own, so that a structure finds no signal that only its permutation lacks.
        self.learners = [self.sets[0].copied() for _ in range(self.features.permutations - 1)] + self.sets[:1]
        self.sampler = Sampler(params, self.population, collective, crew)
        work = work_on(groups, trained, params, crew)
        measured = measured_loss(params.objective, trained, self.sets[0].risk, crew)
        self.leaves = LeafEstimator(params, self.population, collective, crew, work, measured)
        facts = (params, self.population, trained.n_rows, collective, crew)
        self.derivatives = Derivatives(*facts, work, measured)
        self.detector = Detector(params.stopping, params.metrics[params.eval_metric].is_max_optimal)
        self.trees: list[Tree] = []
        self.scores: list[MetricTable] = []
        self.stopped: str | None = None if params.iterations > 0 else "iterations"
        self._overfitted = False
        self._n_columns = n_bins.shape[0] + (len(params.categories.columns) if params.categories is not None else 0)
        self._tighten_bounds()
        self._metrics: MetricTable = {}
        self._facts = self._begin_tree(None)

    def add_tree(self) -> None:
        """Sample rows, grow a structure, estimate its leaves, move all predictions on, score."""
        train, tree = self.sets[0], len(self.trees)
        self._shrink()
        counts = self.derivatives.counts
        counted = train.rows if counts is None else replace(train.rows, weight=counts)
        cells = self.sampler.cells(counted, self.derivatives.values, self._facts, tree)
        rules = GrowthRules(self.params, tree, self.leaves.l2, self._noise_sigma())
        choose = grow if self.params.grow_policy == "SymmetricTree" else grow_leaves
        structure = choose(self.features, train.rows.n_rows, cells, rules, self.collective, self.crew)
        leaves = [
            self.features.leaves(structure.tree, structure.leaf_of_row, permutation)
            for permutation in range(self.features.permutations)
        ]
        grown = self._estimate(structure.tree, leaves)
        self.trees.append(grown)
        for number, data in enumerate(self.sets[1:]):
            data.add_tree(grown, self.features, number)
        self.features.end_tree()
        self._tighten_bounds()
        last = len(self.trees) == self.params.iterations
        self._metrics, self._facts = self._finish_tree(grown, score=last or tree % self.params.metric_period == 0)
        self._record()

    def _estimate(self, tree: Tree, leaves: Sequence[NDArray[np.uint16]]) -> Tree:
        """Estimate the leaves in each permutation, and move its predictions on; the tree has the values of the last one."""
        starts = [
            WalkStart(learner.predictions, leaf_of_row, learner.bound, learner.top)
            for learner, leaf_of_row in zip(self.learners, leaves, strict=True)
        ]
        constraints = [constraint_of(self.params.monotone_constraints, split.feature) for split in tree.splits]
        estimated = self.leaves.estimate(self.sets[0].rows, starts, tree.n_leaves, constraints, len(self.trees))
        for learner, leaf_of_row, found in zip(self.learners, leaves, estimated, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                values = found.values * self.params.learning_rate
                exponent = self.params.objective.exponent
                bound = learner.bound + float(np.abs(values).max())
                largest = bound if exponent is None else learner.top + exponent.largest(values)
            limit = self.params.objective.largest_prediction
            if not largest < limit:
                expected = f"steps that keep raw predictions below {limit}"
                fix = f"Tree {len(self.trees)} leaves that range. Lower learning_rate, or raise l2_leaf_reg."
                raise ParameterError("learning_rate", self.params.learning_rate, expected, fix)
            learner.add_leaves(leaf_of_row, values)
        return replace(tree, leaf_values=values, leaf_weights=estimated[-1].weights)

    def _shrink(self) -> None:
        """Shrink the model so far, where the parameters ask for it; the derivatives at what is left cost a round."""
        shrinkage, tree = self.params.shrinkage, len(self.trees)
        if shrinkage is None or tree == 0:
            return
        for data in (*self.learners, *self.sets[1:]):
            data.shrink(shrinkage.factor(tree, self.params.learning_rate))
        self._facts = self._begin_tree(self.trees[-1])

    def _tighten_bounds(self) -> None:
        """Look how large predictions are, where bounds are exponents and have grown: a round every few trees."""
        if self.params.objective.exponent is None:
            return
        loose = [data for data in (*self.learners, *self.sets[1:]) if data.top > data.measured + _LOOSE]
        if not loose:
            return
        mine = np.array([data.range_of_predictions() for data in loose])
        told = [np.frombuffer(answer).reshape(mine.shape) for answer in self.collective.all_gather(mine.tobytes())]
        for data, low, high in zip(loose, np.min(told, axis=0)[..., 0], np.max(told, axis=0)[..., 1], strict=True):
            data.take_range(low, high)

    def _begin_tree(self, last: Tree | None) -> GradientFacts:
        """Compute the derivatives for the next tree, and their sums in a round of their own."""
        survey, sums = self._gradients(last)
        return survey.read(self.collective.all_reduce(sums))

    def _finish_tree(self, last: Tree, score: bool) -> tuple[MetricTable, GradientFacts]:
        """Compute the derivatives for the next tree and, in one round, metrics and sums of the gradients.

        Derivatives of a model that is shrunk before that tree are left to ``_shrink``; after the last tree nobody needs any.
        """
        params = self.params
        scored = self.sets if score else self.sets[-1:] if len(self.sets) > 1 and self.detector.active else []
        metrics = params.metrics if score else params.metrics[params.eval_metric :][:1]
        if params.shrinkage is not None or len(self.trees) == params.iterations:
            values, _ = score_all(scored, metrics, np.empty(0, np.int64), self.collective)
            return values, self._facts
        survey, sums = self._gradients(last)
        values, summed = score_all(scored, metrics, sums, self.collective)
        return values, survey.read(summed)

    def _gradients(self, last: Tree | None) -> tuple[GradientSurvey, NDArray[np.int64]]:
        """Compute the derivatives for the next tree; this rank's sums of them, and what reads the sums of all ranks."""
        tree = len(self.trees)
        return self.derivatives.survey(self.learners[self.features.permutation_of(tree)], last, tree)

    def _noise_sigma(self) -> float:
        """σ of the score noise (CatBoost's greedy_tensor_search.cpp, CalcScoreStDev): falls as the model grows."""
        if self.params.random_strength == 0.0:
            return 0.0
        n_rows = self.population.n_rows
        deviation = math.sqrt(math.fsum(self._facts.squares.tolist()) / n_rows)
        left = noise_left(n_rows, len(self.trees), self.params.learning_rate)
        return self.params.random_strength * deviation * left

    def _record(self) -> None:
        self.scores.append(self._metrics)
        # The last eval set decides, as in CatBoost.
        if len(self.sets) > 1 and self.sets[-1].name in self._metrics:
            metric = self.params.metrics[self.params.eval_metric].name
            self._overfitted = self.detector.update(len(self.trees) - 1, self._metrics[self.sets[-1].name][metric])

    def decide(self, wants_stop: bool) -> None:
        """Agree whether to go on; a round of its own only where a listener may stop the run."""
        if self.params.listeners_may_stop:
            answers = self.collective.all_reduce(np.array([wants_stop], np.int64))
            if int(answers[0]) > 0:
                self.stopped = "callback"
        if self.stopped is None and self._overfitted:
            self.stopped = "overfitting"
        if self.stopped is None and len(self.trees) >= self.params.iterations:
            self.stopped = "iterations"

    def started(self) -> RunStarted:
        """The first event."""
        return RunStarted(self.params.iterations, self.population.n_rows, self._n_columns, self.collective.size)

    def grown(self) -> TreeGrown:
        """The event of the newest tree."""
        return TreeGrown(len(self.trees) - 1, self._metrics, self.detector.best_iteration, self.detector.best_value)

    @staticmethod
    def tell(listeners: Sequence[Listener], event: Event) -> bool:
        """Let every listener hear an event; whether one of them wants to stop."""
        return any(listener.hear(event) for listener in listeners)

    def result(self) -> BoostResult:
        """The finished run."""
        trees = self.trees
        if self.params.use_best_model and len(self.sets) > 1 and self.detector.best_tree_count > 0:
            trees = trees[: self.detector.best_tree_count]
        bias, shrinkage = self.bias, self.params.shrinkage
        if shrinkage is not None:
            bias, trees = shrinkage.shrunk(bias, trees, self.params.learning_rate)
        return BoostResult(
            trees=tuple(trees),
            bias=bias,
            scores=tuple(self.scores),
            best_iteration=self.detector.best_iteration,
            best_value=self.detector.best_value,
            stopped=self.stopped or "iterations",
            predictions=self.crew.fetch(self.sets[0].predictions),
            eval_predictions=tuple(self.crew.fetch(data.predictions) for data in self.sets[1:]),
            categories=self.features.model_part(trees),
            left_out=self.features.left_out,
        )

"""One training run on one rank, which grows a tree whenever it is told to: ``loop`` drives one, ``lockstep`` several.

``collective`` is the only way in which ranks influence each other; after each tree all of them hold the same ensemble.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.control import Control
from gbdist.boosting.crew import Crew
from gbdist.boosting.derivatives import Derivatives
from gbdist.boosting.events import Event, IterationDone, Listener, RunStarted, tell
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
from gbdist.boosting.progress import Step
from gbdist.boosting.replay import replay
from gbdist.boosting.result import BoostResult
from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.rows import Rows
from gbdist.boosting.sampling import Sampler
from gbdist.boosting.scores import DataSet, score_all
from gbdist.boosting.start import groups_of, start_value, without_ignored, work_on
from gbdist.boosting.state import RunState
from gbdist.categories.begin import begin, categorical_features
from gbdist.errors import ParameterError
from gbdist.models.history import MetricTable, set_names
from gbdist.models.tree import Tree
from gbdist.objectives.cox import Cox


class Run:
    """One run on one rank: its state, what grows the next tree, and what the last round told.

    Whoever drives it calls ``resume``, then ``add_tree`` and ``decide`` as long as it ``goes_on``, and asks for the ``result``
    in the end. Who decides for several runs calls ``replay``, ``prepare`` and ``follow`` instead.
    """

    def __init__(
        self,
        train: Rows,
        evals: Sequence[Rows],
        n_bins: NDArray[np.int64],
        params: BoostParams,
        collective: Collective,
        crew: Crew,
        control: Control,
    ) -> None:
        self.collective, self.crew, self._control = collective, crew, control
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
        data_sets = [
            DataSet.at_start(name, rows, population, self.bias, params.objective, crew)
            for name, rows, population in zip(set_names(len(evals)), sets, populations, strict=True)
        ]
        if isinstance(params.objective, Cox):
            for data, rows in zip(data_sets, sets, strict=True):
                data.risk = RiskOrder(rows, collective)
        trained = data_sets[0].rows
        features: TreeFeatures = (
            BinnedFeatures(trained, n_bins, params.penalties)
            if start is None
            else categorical_features(start, trained, crew)
        )
        self.state = RunState(data_sets, features, params, collective)
        self.sampler = Sampler(params, self.population, collective, crew)
        work = work_on(groups, trained, params, crew)
        measured = measured_loss(params.objective, trained, data_sets[0].risk, crew)
        self.leaves = LeafEstimator(params, self.population, collective, crew, work, measured)
        facts = (params, self.population, trained.n_rows, collective, crew)
        self.derivatives = Derivatives(*facts, work, measured)
        self.stopped: str | None = None
        self._n_columns = n_bins.shape[0] + (len(params.categories.columns) if params.categories is not None else 0)
        #: The newest tree that was grown, not replayed.
        self.step: Step | None = None
        self._paused = False
        self._facts: GradientFacts

    def resume(self, steps: Sequence[Step]) -> None:
        """Replay trees, if there are any; and learn what the next tree needs, if one is to follow."""
        self.stopped = self.state.stops()
        with self.crew.stage("replay"):
            for step in steps:
                if self.stopped is None:
                    self.replay(step)
                    self.stopped = self.state.stops()
        if self.stopped is None:
            self.prepare()

    def replay(self, step: Step) -> None:
        """Add a tree that was grown before, which comes next."""
        self._control.check()
        replay(step, self.state, self.crew)

    def prepare(self) -> None:
        """Learn what the next tree needs, after those that were replayed; a round."""
        self.state.shrink()
        survey, sums = self._gradients()
        self._facts = survey.read(self.collective.all_reduce(sums))

    @property
    def goes_on(self) -> bool:
        """Whether a tree follows."""
        return self.stopped is None and not self._paused

    def add_tree(self) -> None:
        """Sample rows, grow a structure, estimate its leaves, move all predictions on, score."""
        self._control.check()
        tree = len(self.state.trees)
        with self.crew.stage("tree", tree):
            self._add_tree(tree)

    def _add_tree(self, tree: int) -> None:
        state, params, train = self.state, self.params, self.state.sets[0]
        counts = self.derivatives.counts
        counted = train.rows if counts is None else replace(train.rows, weight=counts)
        with self.crew.stage("sampling"):
            cells = self.sampler.cells(counted, self.derivatives.values, self._facts, tree)
        rules = GrowthRules(params, tree, self.leaves.l2, self._noise_sigma())
        choose = grow if params.grow_policy == "SymmetricTree" else grow_leaves
        structure = choose(state.features, train.rows.n_rows, cells, rules, self.collective, self.crew)
        with self.crew.stage("leaves"):
            leaves = [
                state.features.leaves(structure.tree, structure.leaf_of_row, permutation)
                for permutation in range(state.features.permutations)
            ]
            grown, values = self._estimate(structure.tree, leaves)
        statistics, left_out = state.features.first_used, state.features.left_out
        with self.crew.stage("predictions"):
            state.add(grown, leaves, values)
        last = len(state.trees) == params.iterations
        metrics = self._finish_tree(score=last or tree % params.metric_period == 0)
        state.record(metrics)
        self.step = Step(
            grown, metrics, structure.chosen, statistics, tuple(values[:-1]), state.features.left_out - left_out
        )

    def _estimate(self, tree: Tree, leaves: Sequence[NDArray[np.uint16]]) -> tuple[Tree, list[NDArray[np.float64]]]:
        """Estimate the leaves in each permutation; the tree with the values of the last one, and those of all."""
        params, learners = self.params, self.state.learners
        starts = [
            WalkStart(learner.predictions, leaf_of_row, learner.bound, learner.top)
            for learner, leaf_of_row in zip(learners, leaves, strict=True)
        ]
        constraints = [constraint_of(params.monotone_constraints, split.feature) for split in tree.splits]
        number, limit, values = len(self.state.trees), params.objective.largest_prediction, []
        estimated = self.leaves.estimate(self.state.sets[0].rows, starts, tree.n_leaves, constraints, number)
        for learner, found in zip(learners, estimated, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                values.append(found.values * params.learning_rate)
                exponent = params.objective.exponent
                bound = learner.bound + float(np.abs(values[-1]).max())
                largest = bound if exponent is None else learner.top + exponent.largest(values[-1])
            if not largest < limit:
                expected = f"steps that keep raw predictions below {limit}"
                fix = f"Tree {number} leaves that range. Lower learning_rate, or raise l2_leaf_reg."
                raise ParameterError("learning_rate", params.learning_rate, expected, fix)
        return replace(tree, leaf_values=values[-1], leaf_weights=estimated[-1].weights), values

    def _finish_tree(self, *, score: bool) -> MetricTable:
        """Compute the derivatives for the next tree and, in one round, metrics, sums of the gradients, and who wants a pause.

        Derivatives of a model that is shrunk before that tree are left to ``follow``; after the last tree nobody needs any.
        """
        params, state = self.params, self.state
        decides = len(state.sets) > 1 and state.detector.active
        scored = state.sets if score else state.sets[-1:] if decides else []
        metrics = params.metrics if score else params.metrics[params.eval_metric :][:1]
        if params.shrinkage is not None or len(state.trees) == params.iterations:
            with self.crew.stage("metrics"):
                values, _ = score_all(scored, metrics, np.empty(0, np.int64), self.collective)
            return values
        survey, sums = self._gradients()
        with self.crew.stage("metrics"):
            values, summed = score_all(scored, metrics, self._with_pause(sums), self.collective)
        self._facts = survey.read(self._read_pause(summed))
        return values

    def _gradients(self) -> tuple[GradientSurvey, NDArray[np.int64]]:
        """Compute the derivatives for the next tree; this rank's sums of them, and what reads the sums of all ranks."""
        trees = self.state.trees
        with self.crew.stage("derivatives"):
            return self.derivatives.survey(self.state.learner, trees[-1] if trees else None, len(trees))

    def _with_pause(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sums to be added up over the ranks, and one more number: of the ranks that want a pause."""
        return np.append(sums, np.int64(self._control.wants_pause))

    def _read_pause(self, summed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Look whether a rank wants a pause; the other sums."""
        self._paused = int(summed[-1]) > 0
        return summed[:-1]

    def _noise_sigma(self) -> float:
        """σ of the score noise (CatBoost's greedy_tensor_search.cpp, CalcScoreStDev): falls as the model grows."""
        if self.params.random_strength == 0.0:
            return 0.0
        n_rows = self.population.n_rows
        deviation = math.sqrt(math.fsum(self._facts.squares.tolist()) / n_rows)
        left = noise_left(n_rows, len(self.state.trees), self.params.learning_rate)
        return self.params.random_strength * deviation * left

    def decide(self, wants_stop: bool) -> None:
        """Agree whether to go on; a round of its own only where a listener may stop the run."""
        asked = asks_to_stop(self.params, self.collective, wants_stop)
        self.follow("callback" if asked else self.state.stops())

    def follow(self, stopped: str | None) -> None:
        """Take the decision of why no tree follows, None if one does.

        If so, shrink the model where the parameters ask for it; the derivatives at what is left cost a round.
        """
        self.stopped = stopped
        if stopped is None and self.state.shrink():
            survey, sums = self._gradients()
            self._facts = survey.read(self._read_pause(self.collective.all_reduce(self._with_pause(sums))))

    def started(self, resumed: int) -> RunStarted:
        """The first event."""
        params, n_rows = self.params, self.population.n_rows
        return RunStarted(params.iterations, n_rows, self._n_columns, self.collective.size, resumed=resumed)

    def grown(self) -> IterationDone:
        """The event of the newest tree."""
        state, best = self.state, self.state.detector
        return IterationDone(len(state.trees) - 1, state.scores[-1], best.best_iteration, best.best_value, self.step)

    def tell(self, listeners: Sequence[Listener], event: Event) -> bool:
        """Let all listeners hear an event; whether one of them wants to stop."""
        with self.crew.stage("callbacks"):
            return tell(listeners, event)

    def result(self) -> BoostResult:
        """The finished run."""
        state, detector = self.state, self.state.detector
        trees = state.trees
        if self.params.use_best_model and len(state.sets) > 1 and detector.best_tree_count > 0:
            trees = trees[: detector.best_tree_count]
        bias, shrinkage = self.bias, self.params.shrinkage
        if shrinkage is not None:
            bias, trees = shrinkage.shrunk(bias, trees, self.params.learning_rate)
        return BoostResult(
            trees=tuple(trees),
            bias=bias,
            scores=tuple(state.scores),
            best_iteration=detector.best_iteration,
            best_value=detector.best_value,
            stopped=self.stopped or "iterations",
            predictions=self.crew.fetch(state.sets[0].predictions),
            eval_predictions=tuple(self.crew.fetch(data.predictions) for data in state.sets[1:]),
            categories=state.features.model_part(trees),
            left_out=state.features.left_out,
        )


def asks_to_stop(params: BoostParams, collective: Collective, wants_stop: bool) -> bool:
    """Whether a listener of any rank wants to stop; a round, if the parameters say that one may."""
    if not params.listeners_may_stop:
        return False
    answers = collective.all_reduce(np.array([wants_stop], np.int64))
    return int(answers[0]) > 0

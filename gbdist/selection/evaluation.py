"""An estimator's scores on folds: checked once, and run as often as there are parameters to try."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from time import perf_counter
from typing import Any

import numpy as np

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.clusters import resolve_client
from gbdist.estimators.folds import AnyFolds
from gbdist.estimators.fusion.members import takes_collections
from gbdist.estimators.kept_parameters import KeptParameters
from gbdist.estimators.parameters.snapshots import refuse_snapshots
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.quantized import class_names
from gbdist.estimators.sources import Given
from gbdist.selection.asked import folds_from, is_splitter
from gbdist.selection.checks import integer, true_or_false
from gbdist.selection.evaluating.failures import Failures
from gbdist.selection.evaluating.functions import add_scores, as_arrays, scores_of
from gbdist.selection.evaluating.lockstep import Lockstep, lockstep_parameters
from gbdist.selection.evaluating.one_by_one import OneByOne, stops_early
from gbdist.selection.evaluating.result import AskedAfter, FoldScores, Wanted, Watch
from gbdist.selection.evaluating.rows import FoldRows, beside_array, beside_arrays
from gbdist.selection.evaluating.targets import kind_of, target_of
from gbdist.selection.grouped import GroupKFold
from gbdist.selection.inputs import given_rows, vector_beside
from gbdist.selection.kfold import KFold, StratifiedKFold
from gbdist.selection.scoring import Scorer, scorers_of

#: Folds where no number is given, as in scikit-learn.
_FOLDS = 5


class Evaluation:
    """Folds, rows and scorers that estimators of one kind are judged by. All of it is checked here; nothing is trained.

    Trees whose parameters allow it are grown for all folds in lock-step, on one set of bins; every other estimator (networks,
    ensembles, ``aggregate="models"``, GPUs) is fitted fold after fold.

    Parameters
    ----------
    estimator : an estimator of gbdist's; in memory also scikit-learn's
    X, y, sample_weight : what its ``fit`` takes; X may be a DaskPool, for trees
        Weights count in fits and in scores.
    groups : vector, or name of a column of X, optional
        For splitters by groups, and in place of ``group_id`` of a ranker.
    cv : splitter of ``gbdist.selection``, number of folds, or None for 5; in memory also scikit-learn's, or pairs of row numbers
        A number: of ``StratifiedKFold`` for classes, ``GroupKFold`` for a ranker, else of ``KFold``.
    scoring : see ``scorers_of``
    client : a Dask client or address; left out: the estimator's own
    strict_borders : whether each fold's borders are chosen from the rows that it trains on, as folds one after another always are

    Attributes
    ----------
    client : Dask client, its address, or None
    scorers : tuple of Scorer
    n_splits : number of folds

    Raises
    ------
    ParameterError, DataError
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        groups: Any = None,
        cv: Any = None,
        scoring: Any = None,
        client: Any = None,
        strict_borders: bool = False,
    ) -> None:
        true_or_false("strict_borders", strict_borders)
        self.client = getattr(estimator, "client", None) if client is None else client
        self._strict = strict_borders
        self._groups, ranks = groups, kind_of(estimator) == "ranking"
        _refuse_snapshots(estimator)
        self._given = Given(X, y, sample_weight, group_id=groups if ranks else None)
        lazy = isinstance(X, DaskPool) or self._given.collect().lazy
        if lazy and not takes_collections(estimator):
            expected = "an estimator that takes Dask collections, as X is one"
            raise ParameterError("estimator", type(estimator).__name__, expected, "Use gbdist's, or pass X in memory.")
        self._target = target_of(estimator, self._given, scoring, self.client)
        self._cv = self._splitter_of(_FOLDS if cv is None else cv)
        self.scorers = scorers_of(scoring, self._target, lazy=lazy)
        self._require_rows(estimator)
        self._lockstep: tuple[AnyFolds, Given] | None = None
        if lockstep_parameters(estimator) is None:
            self.n_splits = len(self.rows.pairs)
        else:
            self.n_splits = self._folds_for(None)[0].n_folds

    def run(
        self,
        estimator: Any,
        *,
        watch: Watch | None = None,
        asked_after: AskedAfter | None = None,
        return_models: bool = False,
        train_scores: bool = False,
        data: DaskPool | None = None,
        error_score: Any = "raise",
    ) -> FoldScores:
        """Fit and score an estimator on all folds.

        Parameters
        ----------
        estimator : of the kind that the evaluation was made for, with any parameters
        watch : ``watch(iteration, score) -> bool``, optional
            Called in this thread after each iteration, from 1, with the mean test score of the first scorer; False ends the run.
            Of folds one after another an iteration is a fold. Of folds in lock-step whose first scorer is no metric it is not
            called.
        asked_after : ``asked_after(iteration) -> bool``, optional
            After which iterations what ``watch`` answers counts: the folds wait for no other answer. It goes to the workers.
        return_models : whether to keep a fitted estimator of each fold
        train_scores : whether to score the rows that were trained on too
        data : DaskPool in place of X, for trees
        error_score : "raise", or the score of a fold whose fit or score fails
            Folds in lock-step fail together, which is always raised.

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        self._require_rows(estimator, pooled=data is not None)
        failures = Failures(error_score)
        wanted = Wanted(watch, asked_after, return_models, train_scores, error_score)
        if all(scorer.in_training for scorer in self.scorers) or lockstep_parameters(estimator) is None:
            return self._run(estimator, wanted, self.scorers, data)
        found = self._run(estimator, replace(wanted, return_models=True), self.scorers, data)
        scored = self._with_functions(found, failures, train_scores=train_scores)
        return scored if return_models else replace(scored, models=None)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the client, which is a connection of this process."""
        return self.__dict__ | {"client": None}

    @property
    def takes_pools(self) -> bool:
        """Whether ``run`` may be given a DaskPool of ``given`` as ``data``: for trees that do not rank."""
        return self._lockstep is not None and not self._strict and self.given.group_id is None

    @property
    def given(self) -> Given:
        """The rows, of trees with what their folds go by, which a DaskPool of them needs."""
        return self._given if self._lockstep is None else self._lockstep[1]

    def require_folds(self, data: DaskPool | None = None) -> None:
        """DataError for folds that the rows cannot have, which trees in lock-step would find out when they train.

        ``data`` is a DaskPool of the rows, of which it is known how many they are, by class; without it they are looked at.
        """
        if data is None:
            _ = self.rows
            return
        survey = data.data.survey
        classes = class_names(survey) if self._target.are_classes else None
        self._folds_for(data)[0].of_data(survey.n_rows, survey.label, classes)

    def fit(self, estimator: Any) -> list[Any]:
        """A fitted estimator of each fold, as ``run`` leaves it. Raises what that raises."""
        self._require_rows(estimator)
        together = lockstep_parameters(estimator) is not None
        # An eval set is refused for labels that its fold has not trained on, so there is one only where it decides.
        scored = together or stops_early(estimator)
        metrics = [scorer for scorer in self.scorers if scorer.in_training] if scored else []
        return self._run(estimator, Wanted(return_models=True), metrics).models or []

    def _run(
        self, estimator: Any, wanted: Wanted, scorers: Sequence[Scorer], data: DaskPool | None = None
    ) -> FoldScores:
        """Fit all folds; of folds in lock-step the scores that are metrics."""
        parameters = lockstep_parameters(estimator)
        if parameters is None:
            return OneByOne(self.rows, scorers, self.client).run(estimator, wanted)
        folds, given = self._folds_for(data)
        return Lockstep(given, folds, scorers, self.client, self._strict).run(estimator, parameters, wanted)

    def _with_functions(self, found: FoldScores, failures: Failures, *, train_scores: bool) -> FoldScores:
        """Scores that are no metrics beside those that are, from the models and the rows of their folds."""
        models, seconds = found.models or [], []
        test: dict[str, list[float]] = {scorer.name: [] for scorer in self.scorers}
        train: dict[str, list[float]] = {scorer.name: [] for scorer in self.scorers}
        for fold, model in enumerate(models):
            started = perf_counter()
            known, failed = _of_fold(found.test, fold), failures.score_failed
            add_scores(test, scores_of(self.scorers, model, self.rows.test(fold), known, failed))
            seconds.append(perf_counter() - started)
            if train_scores:
                known = _of_fold(found.train or {}, fold)
                add_scores(train, scores_of(self.scorers, model, self.rows.train(fold), known, failed))
        return replace(
            found,
            test=as_arrays(test),
            train=as_arrays(train) if train_scores else None,
            score_time=np.array(seconds),
        )

    def _folds_for(self, data: DaskPool | None) -> tuple[AnyFolds, Given]:
        """Folds for lock-step of a pool, None: of the rows themselves; and the rows with what these go by."""
        if self._lockstep is None:
            self._lockstep = self._folds_of(self._given)
        folds, given = self._lockstep
        return folds, given if data is None else Given(data)

    def _folds_of(self, given: Given) -> tuple[AnyFolds, Given]:
        classifier, groups = self._target.kind == "classes", self._groups
        return folds_from(
            self._cv, given, classifier=classifier, groups=groups, strict=self._strict, client=self.client
        )

    def _require_rows(self, estimator: Any, *, pooled: bool = False) -> None:
        """ParameterError for what needs the rows themselves, where there is a DaskPool of their bins alone."""
        if not pooled and not isinstance(self._given.X, DaskPool):
            return
        fix = "Pass the collection that it was made of."
        if self._strict:
            raise ParameterError("strict_borders", True, "False with a DaskPool, which has been quantized", fix)
        if lockstep_parameters(estimator) is None:
            expected = "trees whose folds are grown in lock-step, with a DaskPool, which keeps no raw values"
            raise ParameterError("estimator", type(estimator).__name__, expected, fix)
        for scorer in self.scorers:
            if not scorer.in_training and not pooled:
                expected = "metrics, with a DaskPool, which keeps no raw values that could be predicted from"
                raise ParameterError("scoring", scorer.name, expected, fix)

    @cached_property
    def rows(self) -> FoldRows:
        """The rows of each fold: lazy masks of collections, and row numbers in memory. DataError for a DaskPool."""
        if isinstance(self._given.X, DaskPool):
            fix = "Pass the collection that it was made of."
            raise DataError("X", "a DaskPool", "rows, of which it can be told which fold has them", fix)
        given, asked = beside_arrays(self._given), self._cv
        if isinstance(asked, list):
            return FoldRows.of(given, asked)
        rows, groups = given_rows(given.X), beside_array(given.X, self._groups)
        y = None if given.y is None or self._target.several_labels else vector_beside(rows, given.y, "y")
        with resolve_client(self.client).as_current() if rows.lazy else nullcontext():
            return FoldRows.of(given, list(asked.split(given.X, y, groups)))

    def _splitter_of(self, cv: Any) -> Any:
        """``cv`` with a splitter in place of a number, and a list in place of what can be gone through once."""
        if isinstance(cv, Integral) and not isinstance(cv, bool):
            n_folds = integer("cv", cv, 2)
            if self._target.kind == "ranking":
                return GroupKFold(n_folds)
            return StratifiedKFold(n_folds) if self._target.are_classes else KFold(n_folds)
        return cv if is_splitter("cv", cv) else list(cv)


def _refuse_snapshots(estimator: Any) -> None:
    """ParameterError for snapshots, which are of one fit: each fold would find that of the one before."""
    given = estimator.get_params(deep=False) if isinstance(estimator, KeptParameters) else {}
    refuse_snapshots(given, "it to be left out where folds are fitted", "Leave it out: a snapshot is of one fit.")


def _of_fold(scores: Mapping[str, Any], fold: int) -> dict[str, float]:
    return {name: float(values[fold]) for name, values in scores.items()}

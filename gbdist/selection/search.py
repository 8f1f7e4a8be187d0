"""``DaskSearchCV``: a search for parameters on Optuna's samplers and pruners, over bins that are made once."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone

from gbdist.errors import ParameterError
from gbdist.estimators.fusion.members import fresh
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.passwords import without_password, without_passwords
from gbdist.selection.checks import integer, seed_of, true_or_false
from gbdist.selection.evaluating.lockstep import lockstep_parameters
from gbdist.selection.evaluating.result import AskedAfter
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.searching.best import BestEstimator
from gbdist.selection.searching.checks import check_space, longest, most_iterations, without_stopping
from gbdist.selection.searching.events import SearchListener
from gbdist.selection.searching.identity import data_of, identity_of
from gbdist.selection.searching.lines import lines_asked
from gbdist.selection.searching.opening import Where, storage_from
from gbdist.selection.searching.results import best_of, no_trial, table_of
from gbdist.selection.searching.rule import TRIAL_WORKERS, Wanted, places_for
from gbdist.selection.searching.samplers import make_search
from gbdist.selection.searching.spaces import Space, read_space
from gbdist.selection.searching.study import Ledger, Record, earlier_trials
from gbdist.selection.searching.trials import Course, Trials
from gbdist.selection.searching.workers import Places

#: What keeps references in a clone: connections, and studies that are elsewhere.
_KEPT = ("client", "storage", "warm_start_from")


class DaskSearchCV(MetaEstimatorMixin, BestEstimator, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Searches a space of parameters by cross-validation; what it leaves is what scikit-learn's ``GridSearchCV`` does.

    Parameters
    ----------
    estimator : an estimator of gbdist's: trees, networks, ensembles; in memory also scikit-learn's
    space : dict from names of parameters to what they may be
        A list of values, a distribution of Optuna's or of scipy.stats, or a table ``{low, high, log, step}``; see ``read_space``.
    search : "grid", "random", "bayesian", "genetic", "cmaes", "hyperband", or a sampler of Optuna's
        "hyperband" draws at random, and ends trials early that are worse than others after as many trees.
    n_trials : int, or None for as many as ``timeout`` allows
        How many there are in the end, those of earlier calls on the same study included. A grid has all its combinations.
    scoring : name, callable, list of names or dictionary; left out: the estimator's own ``score``
        With several the one that ``refit`` names decides, else the first.
    cv : splitter of ``gbdist.selection``, or a number of folds; left out: 5
    refit : True, False, or the name of a score
        Whether to fit the best parameters on all rows. Where the estimator stops early, the number of trees is the best one of
        the mean over the folds.
    random_state : seed of the search; left out: 0
    n_jobs : trials side by side; left out: as many as workers where each has one, else 1
    trial_workers : "auto", "one" or "all"
        Whether a trial uses one worker, which has all rows then, or all; docs/selection.md has the rule.
    study_name, storage : where the study is: a URL or a storage of Optuna's; left out: in memory
        A study that is there is gone on with. Without a name it follows from data, space, folds, scoring, estimator, search,
        pruner and ``random_state``; with one any search may go on with it.
    warm_start_from : an earlier study, a fitted search, or a list of (params, score)
        What "bayesian", "genetic" and "cmaes" know before the first trial.
    pruner : "median", "halving", "hyperband", or a pruner of Optuna's; left out: none
    timeout : seconds after which no trial begins; those that run are ended
    error_score : the score of a trial that fails, or "raise"
    return_train_score : whether ``cv_results_`` has scores of the rows that were trained on
    verbose : a line for each trial; left out: in a terminal
    client : a Dask client or address; left out: the estimator's, else the current one

    Attributes
    ----------
    best_params_, best_score_, best_index_, best_estimator_, cv_results_, n_splits_, scorer_, refit_time_, multimetric_ : as
        scikit-learn's; ``cv_results_`` has ``state``, ``iterations`` and ``error`` too
    study_ : the Optuna study
    """

    def __init__(
        self,
        estimator: Any,
        space: Any,
        *,
        search: Any = "random",
        n_trials: int | None = 50,
        scoring: Any = None,
        cv: Any = None,
        refit: bool | str = True,
        random_state: int | None = None,
        n_jobs: int | None = None,
        trial_workers: str = "auto",
        study_name: str | None = None,
        storage: Any = None,
        warm_start_from: Any = None,
        pruner: Any = None,
        timeout: float | None = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        verbose: Any = None,
        client: Any = None,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.search = search
        self.n_trials = n_trials
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.trial_workers = trial_workers
        self.study_name = study_name
        self.storage = storage
        self.warm_start_from = warm_start_from
        self.pruner = pruner
        self.timeout = timeout
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.verbose = verbose
        self.client = client

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        groups: Any = None,
        listener: SearchListener | None = None,
    ) -> Self:
        """Run the trials that the study lacks, and fit the best parameters on all rows.

        Parameters
        ----------
        X, y, sample_weight : what the estimator's ``fit`` takes; X may be a DaskPool, for trees
        groups : for splitters by groups, and a ranker's ``group_id``
        listener : called with each of ``searching.events``, one after the other

        Raises
        ------
        ParameterError, DataError
            Before anything is trained, for what cannot be used.
        ModelError
            All trials have failed; it has the first one's error.
        ClusterError, KeyboardInterrupt
            The search was ended. What ran is free to be run again; ``study_`` and ``cv_results_`` have what has ended before.
        """
        self._check()
        space = read_space(self.space)
        check_space(space, self.estimator)
        evaluation = Evaluation(
            self.estimator,
            X,
            y,
            sample_weight=sample_weight,
            groups=groups,
            cv=self.cv,
            scoring=self._scoring(),
            client=self.client,
        )
        given, storage = Given(X, y, sample_weight, group_id=groups), storage_from(self.storage)
        search = make_search(
            self.search,
            self.pruner,
            space,
            seed=seed_of(self.random_state),
            iterations=longest(space, self.estimator, evaluation.n_splits),
            side_by_side=1 if self.n_jobs == 1 else 2,
        )
        if search.prunes and lockstep_parameters(self.estimator) is not None:
            _require_metric(evaluation.scorers[0])
        if not isinstance(X, DaskPool) and not given.collect().lazy:
            evaluation.require_folds()
        earlier = self._earlier(space, learns=search.learns)
        wanted = Wanted(self.n_jobs, self.trial_workers, search.trials(self.n_trials))
        places = places_for(evaluation, self.estimator, space, given, self.client, wanted)
        try:
            pool = places.whole(self.estimator)
            evaluation.require_folds(pool)
            data = "in memory" if self.storage is None else data_of(given, pool)
            identity = identity_of(self.estimator, space, self.cv, evaluation.scorers, data, search.in_words)
            ledger = Ledger(Where(storage, self.study_name), search, space, self.n_trials, identity)
            try:
                ledger.learn_from(earlier)
                best = self._search(ledger, places, evaluation, space, listener, search.asked_after)
            finally:
                ledger.close()
            if self.refit is not False:
                self._refit(best, places, given)
        finally:
            places.close()
        return self

    def _search(
        self,
        ledger: Ledger,
        places: Places,
        evaluation: Evaluation,
        space: Space,
        listener: SearchListener | None,
        asked_after: AskedAfter | None,
    ) -> Record:
        """Run the trials, and take what has come of them; the best one."""
        in_step = lockstep_parameters(self.estimator) is not None
        lines = lines_asked(self.verbose, "trees" if in_step else "folds")
        course = Course(
            estimator=self.estimator,
            scorers=evaluation.scorers,
            asked_after=asked_after,
            iterations_of=lambda estimator: most_iterations(estimator, evaluation.n_splits),
            train_scores=self.return_train_score,
            raises=self.error_score == "raise",
            timeout=self.timeout,
            listeners=lines if listener is None else (*lines, listener),
        )
        trials = Trials(ledger, places, course)
        try:
            trials.run()
        finally:
            best = self._take(ledger, evaluation, space)
        if best is None:
            raise no_trial(ledger.records(), self.timeout) from trials.first_error
        return best

    def _take(self, ledger: Ledger, evaluation: Evaluation, space: Space) -> Record | None:
        """What the trials so far leave; the best one, if any has ended well."""
        records, scorers = ledger.records(), evaluation.scorers
        names = [scorer.name for scorer in scorers]
        self.study_, self.n_splits_ = ledger.study, evaluation.n_splits
        self.multimetric_ = isinstance(self.scoring, dict | list | tuple | set | frozenset)
        self.scorer_ = dict(zip(names, scorers, strict=True)) if self.multimetric_ else scorers[0]
        failed = np.nan if self.error_score == "raise" else float(self.error_score)
        self.cv_results_ = table_of(records, list(space.dimensions), names, self.n_splits_, failed)
        at = best_of(records)
        for left in ("best_index_", "best_params_", "best_score_", "best_estimator_", "refit_time_"):
            self.__dict__.pop(left, None)
        if at is None:
            return None
        self.best_index_, self.best_params_ = at, dict(records[at].params)
        self.best_score_ = float(self.cv_results_[f"mean_test_{names[0]}"][at])
        return records[at]

    def _refit(self, best: Record, places: Places, given: Given) -> None:
        """Fit the best parameters on all rows."""
        started = perf_counter()
        estimator = fresh(self.estimator, self.client).set_params(**clone(self.best_params_, safe=False))
        without_stopping(estimator, int(best.result["iterations"]))
        pool = places.whole(estimator)
        if pool is not None:
            estimator.fit(pool)
        else:
            ranks = getattr(estimator, "_is_ranker", False)
            more = {"sample_weight": given.sample_weight, "group_id": given.group_id if ranks else None}
            estimator.fit(given.X, given.y, **{name: value for name, value in more.items() if value is not None})
        self.best_estimator_ = estimator
        self.refit_time_ = perf_counter() - started

    # ---- what is checked before anything else

    def _check(self) -> None:
        """ParameterError for a parameter that does not depend on the data."""
        if self.n_trials is not None:
            integer("n_trials", self.n_trials, 1)
        elif self.timeout is None and self.search != "grid":
            raise ParameterError("n_trials", None, "a number, or a timeout", "Set one of them.")
        if self.n_jobs is not None and self.n_jobs != -1:
            integer("n_jobs", self.n_jobs, 1)
        if self.trial_workers not in TRIAL_WORKERS:
            expected = f"one of {', '.join(map(repr, TRIAL_WORKERS))}"
            raise ParameterError("trial_workers", self.trial_workers, expected, "Leave it out.")
        if self.timeout is not None and not _is_number(self.timeout, above=0.0):
            raise ParameterError("timeout", self.timeout, "seconds above 0", "Leave it out for no limit.")
        if self.error_score != "raise" and not _is_number(self.error_score):
            raise ParameterError("error_score", self.error_score, "a number or 'raise'", "Leave it out for nan.")
        true_or_false("return_train_score", self.return_train_score)
        if self.study_name is not None and not (isinstance(self.study_name, str) and self.study_name):
            raise ParameterError("study_name", self.study_name, "a text", "Leave it out.")

    def _scoring(self) -> Any:
        """``scoring`` with the score that decides in front."""
        if isinstance(self.refit, bool):
            return self.scoring
        several = self.scoring
        if not isinstance(several, dict | list | tuple) or self.refit not in several:
            raise ParameterError("refit", self.refit, "True, False, or one of several names in scoring", "Change it.")
        if isinstance(several, dict):
            return {self.refit: several[self.refit], **several}
        return [self.refit, *(one for one in several if one != self.refit)]

    def _earlier(self, space: Space, *, learns: bool) -> Sequence[Any]:
        """Trials to learn from. ParameterError for a search that learns from none."""
        if self.warm_start_from is None:
            return ()
        if not learns:
            fix = 'Leave it out, or set search="bayesian".'
            raise ParameterError(
                "warm_start_from", self.warm_start_from, f"None with search={self.search!r}, which learns nothing", fix
            )
        return earlier_trials(self.warm_start_from, space)

    # ---- scikit-learn's interface

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """As of all estimators, without the password that a storage may have in its URL."""
        shown = self
        if isinstance(self.storage, str):
            given = self.get_params(deep=False)
            shown = type(self)(**{**given, "storage": without_password(self.storage)})
        return str(super(DaskSearchCV, shown).__repr__(N_CHAR_MAX))

    def _html_repr(self) -> str:
        """The same, for notebooks; scikit-learn's name for it."""
        return without_passwords(super()._html_repr())

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a best estimator, or was none wanted."""
        return hasattr(self, "best_estimator_") or (self.refit is False and hasattr(self, "study_"))

    def __sklearn_clone__(self) -> Self:
        """An unfitted copy; connections and earlier studies are the same ones."""
        given = self.get_params(deep=False)
        return type(self)(
            **{name: value if name in _KEPT else clone(value, safe=False) for name, value in given.items()}
        )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the client, which is a connection of this process."""
        return dict(super().__getstate__()) | {"client": None}


def _require_metric(scorer: Any) -> None:
    """ParameterError for a score that is not known while trees are grown, where trials are to end early by it."""
    if not scorer.in_training:
        expected = "a metric that is computed while trees are grown, as trials are pruned by it"
        raise ParameterError("scoring", scorer.name, expected, "Leave pruner out, or search without hyperband.")


def _is_number(value: Any, above: float | None = None) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return bool(number and (above is None or value > above))

"""Which places the trials of a search have (decision 0049)."""

import sys
from dataclasses import dataclass
from typing import Any, Final

from distributed import Client

from gbdist.errors import ParameterError
from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.cores import cores
from gbdist.estimators.local_run import trains_here
from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.parameters.table import ALIASES
from gbdist.estimators.placing import fits_on_each
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.pipeline import Source
from gbdist.estimators.sources import Given
from gbdist.selection.evaluating.lockstep import lockstep_parameters
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.searching.pools import CUTS, Pools
from gbdist.selection.searching.spaces import Space
from gbdist.selection.searching.workers import Anywhere, OnWorker, OnWorkers, Places, PoolPlace, TaskPlace

TRIAL_WORKERS: Final = ("auto", "one", "all")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says about it: trials side by side, None for as many as there are places; and ``trial_workers``."""

    n_jobs: int | None
    trial_workers: str
    n_trials: int | None


def places_for(
    evaluation: Evaluation, estimator: Any, space: Space, given: Given, client: Any, wanted: Wanted
) -> Places:
    """Where the trials of a search run.

    * Data that a fit takes in this process, without a cluster: here; each on a worker where there is a client.
    * Trees whose folds are grown in lock-step: each on a worker of its own if every worker has room for all rows, there are at
      least as many trials as workers, and ``n_jobs`` is not 1. ``trial_workers="one"`` and ``"all"`` decide otherwise.
    * Everything else: on all workers, one trial after another.

    Raises ParameterError for ``trial_workers="one"`` where that cannot be, and for several trials at once on all workers.
    """
    small = not isinstance(given.X, DaskPool) and trains_here([Source(given.collect())])
    grown_here = isinstance(estimator, DaskCatBoost | DaskMLP)
    if small:
        known = _known_client(client, estimator)
        if known is None or not grown_here or wanted.trial_workers == "all":
            return Anywhere(evaluation, cores() if wanted.n_jobs == -1 else wanted.n_jobs or 1)
        return _tasks(evaluation, given, known, wanted)
    if lockstep_parameters(estimator) is None or not evaluation.takes_pools:
        if wanted.trial_workers == "one":
            expected = "'auto' or 'all': only trees that do not rank have copies of the rows"
            raise ParameterError("trial_workers", "one", expected, "Leave it out.")
        _refuse_several(wanted)
        return Anywhere(evaluation, 1)
    return _pooled(evaluation, estimator, space, given, client, wanted)


def _tasks(evaluation: Evaluation, given: Given, client: Client, wanted: Wanted) -> Places:
    parts = given.collect()
    nbytes = 8 * (parts.n_rows or 0) * (len(parts.feature_names) + 1)
    n_workers = len(ready_workers(client))

    def make(address: str) -> OnWorker:
        return TaskPlace(client, address, evaluation, nbytes)

    return OnWorkers(client, n_workers, _most(wanted), make)


def _pooled(evaluation: Evaluation, estimator: Any, space: Space, given: Given, client: Any, wanted: Wanted) -> Places:
    if isinstance(given.X, DaskPool):
        client = given.X.client
        for name, dimension in space.dimensions.items():
            if ALIASES.get(name, name) in CUTS:
                fix = "Pass the collection that the pool was made of."
                expected = "it to be left out with a DaskPool, whose bins are made"
                raise ParameterError(f"space: {name}", dimension.ends(), expected, fix)
    else:
        client = resolve_client(estimator.client if client is None else client)
    workers = ready_workers(client)
    pools = Pools(client, evaluation.given)
    try:
        data = pools.whole(estimator).data
        fits = fits_on_each(data, evaluation.n_splits, workers)
    except BaseException:
        pools.close()
        raise
    if wanted.trial_workers == "one" and data.on_disk:
        pools.close()
        raise ParameterError("trial_workers", "one", "'all' for rows whose bins are on disk", "Leave it out.")
    several = wanted.n_jobs != 1 and (wanted.n_trials is None or wanted.n_trials >= len(workers))
    if wanted.trial_workers == "one" or (wanted.trial_workers == "auto" and fits and several):

        def make(address: str) -> OnWorker:
            return PoolPlace(client, address, evaluation, pools)

        return OnWorkers(client, len(workers), _most(wanted), make, pools)
    _refuse_several(wanted)
    return Anywhere(evaluation, 1, pools)


def _most(wanted: Wanted) -> int:
    """How many trials may run side by side, each on a worker."""
    return sys.maxsize if wanted.n_jobs in (None, -1) else int(wanted.n_jobs or 1)


def _refuse_several(wanted: Wanted) -> None:
    if wanted.trial_workers == "all" and wanted.n_jobs not in (None, 1, -1):
        expected = "1 where each trial uses all workers"
        raise ParameterError("n_jobs", wanted.n_jobs, expected, 'Leave it out, or set trial_workers="one".')


def _known_client(client: Any, estimator: Any) -> Client | None:
    """The client that was given, or the current one; None if there is none, as nothing is started for small data."""
    given = getattr(estimator, "client", None) if client is None else client
    if given is not None:
        return resolve_client(given)
    try:
        return Client.current()
    except ValueError:
        return None

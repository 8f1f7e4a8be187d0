"""The quantized rows of a search: once for each way to cut columns into bins, and once more, whole, on each worker that trials
use alone."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from distributed import Client

from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.stored import futures_of
from gbdist.estimators.sources import Given
from gbdist.selection.evaluating.lockstep import lockstep_parameters
from gbdist_cluster.errors import ShardsGone
from gbdist_cluster.shards import wait_for_shards

#: The parameters that decide what a pool holds.
CUTS: Final = (
    "border_count",
    "feature_border_type",
    "nan_mode",
    "per_float_feature_quantization",
    "input_borders",
    "cat_features",
    "cat_nan",
)
#: So many ways to cut are kept, those that were used last.
_KEPT = 4


class Pools:
    """Makes pools when they are first asked for; safe to use from several threads. ``close`` frees all.

    ``given`` is the data set; its X may be a pool, the only one then.
    """

    def __init__(self, client: Client, given: Given) -> None:
        self._client, self._given, self._lock = client, given, threading.Lock()
        self._made: OrderedDict[str, DaskPool] = OrderedDict()

    def whole(self, estimator: Any) -> DaskPool:
        """The rows on all workers, cut as an estimator of trees wants them."""
        with self._lock:
            return self._whole(key_of(estimator), estimator)

    def copied_to(self, worker: str, estimator: Any) -> tuple[str, DaskPool]:
        """The same whole on one worker, and by what it is known; the caller closes it. WorkersGone if the worker is."""
        with self._lock:
            key = key_of(estimator)
            for last_try in (False, True):
                pool = self._whole(key, estimator)
                copy = None
                try:
                    pool.settle()
                    copy = pool.copied_to(worker)
                    wait_for_shards(self._client, futures_of(copy.data.shards))
                    return key, copy
                except BaseException as problem:
                    if copy is not None:
                        copy.close()
                    if last_try or key not in self._made or not isinstance(problem, ShardsGone):
                        raise
                    self._drop(key)
        raise RuntimeError("unreachable")

    def close(self) -> None:
        """Free the workers' memory; a pool that the user gave stays."""
        with self._lock:
            for key in list(self._made):
                self._drop(key)

    def _whole(self, key: str, estimator: Any) -> DaskPool:
        if isinstance(self._given.X, DaskPool):
            return self._given.X
        if key not in self._made:
            while len(self._made) >= _KEPT:
                self._drop(next(iter(self._made)))
            parameters: Mapping[str, Any] = lockstep_parameters(estimator) or {}
            cuts = {name: parameters[name] for name in CUTS if name in parameters}
            given = self._given
            self._made[key] = DaskPool(
                given.X,
                given.y,
                sample_weight=given.sample_weight,
                baseline=given.baseline,
                fold=given.fold,
                cat_nan=estimator.cat_nan,
                bins_on_disk="auto" if estimator.bins_on_disk is None else estimator.bins_on_disk,
                client=self._client,
                **cuts,
            )
        self._made.move_to_end(key)
        return self._made[key]

    def _drop(self, key: str) -> None:
        self._made.pop(key).close()


def key_of(estimator: Any) -> str:
    """By what the rows of an estimator of trees are known, as far as they are cut into bins."""
    parameters = lockstep_parameters(estimator) or {}
    return repr([*((name, parameters.get(name)) for name in CUTS), estimator.cat_nan])

"""How gbdist, xgboost.dask and lightgbm.dask fit the same rows, say how far they are, and go on after their client died."""

import hashlib
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from generated import make_collection, make_rows

TOOLS = ["gbdist", "xgboost.dask", "lightgbm.dask"]
DEPTH, RATE, BINS = 6, 0.1, 255
_CHECKPOINT_TREES = 50


@dataclass(frozen=True)
class Work:
    """What is fitted, and the folder in which a fit leaves its marks and snapshots."""

    rows: int
    features: int
    trees: int
    folder: pathlib.Path

    @property
    def mark(self) -> pathlib.Path:
        """A file that is there once a third of the trees are."""
        return self.folder / "a third"

    @property
    def mark_tree(self) -> int:
        """The tree after which the mark is set."""
        return self.trees // 3


def fit(tool: str, client: Any, work: Work, resume: bool = False) -> str:
    """Fit, and return a digest of the model's predictions. ``resume`` goes on from what a client that died has left."""
    x, y = make_collection(work.rows, work.features)
    model = _FITS[tool](client, work, x, y, resume)
    test, _ = make_rows(20_000, work.features, 7)
    return hashlib.sha256(np.ascontiguousarray(model(test)).tobytes()).hexdigest()


def _fit_gbdist(client: Any, work: Work, x: Any, y: Any, resume: bool) -> Callable[[Any], Any]:
    from gbdist import DaskCatBoostClassifier

    class Mark:
        def after_iteration(self, info: Any) -> bool:
            if info.iteration == work.mark_tree:
                work.mark.touch()
            return True

    more: dict[str, Any] = {}
    if resume:
        more = {"save_snapshot": True, "snapshot_file": str(work.folder / "snapshot"), "snapshot_interval": 1}
    estimator = DaskCatBoostClassifier(
        iterations=work.trees, depth=DEPTH, learning_rate=RATE, client=client, verbose=False, **more
    )
    estimator.fit(x, y, callbacks=[Mark()])
    return lambda rows: estimator.model_.predict(rows, prediction_type="RawFormulaVal")


def _xgboost_mark(work: Work) -> Any:
    import xgboost

    class Mark(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            if epoch == work.mark_tree:
                work.mark.touch()
            return False

    return Mark()


def _fit_xgboost(client: Any, work: Work, x: Any, y: Any, resume: bool) -> Callable[[Any], Any]:
    import xgboost
    import xgboost.collective
    import xgboost.dask

    callbacks, trees, begun = [_xgboost_mark(work)], work.trees, None
    if resume:
        found = sorted(work.folder.glob("model_*.json"), key=lambda path: int(path.stem.rpartition("_")[2]))
        if found:
            begun = xgboost.Booster(model_file=found[-1])
            trees -= begun.num_boosted_rounds()
        callbacks.append(
            xgboost.callback.TrainingCheckPoint(work.folder, name="model", as_pickle=False, interval=_CHECKPOINT_TREES)
        )
    # Its own guess of the address is one that a network namespace does not reach.
    host = client.scheduler.address.partition("://")[2].rpartition(":")[0]
    estimator = xgboost.dask.DaskXGBClassifier(
        n_estimators=trees,
        max_depth=DEPTH,
        learning_rate=RATE,
        max_bin=BINS,
        tree_method="hist",
        callbacks=callbacks,
        coll_cfg=xgboost.collective.Config(tracker_host_ip=host),
    )
    estimator.client = client
    estimator.fit(x, y, xgb_model=begun)
    return lambda rows: estimator.get_booster().inplace_predict(rows, predict_type="margin")


class LightMark:
    """A callback of LightGBM that sets the mark."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, environment: Any) -> None:
        if environment.iteration == self._work.mark_tree:
            self._work.mark.touch()


def _fit_lightgbm(client: Any, work: Work, x: Any, y: Any, resume: bool) -> Callable[[Any], Any]:
    import lightgbm

    estimator = lightgbm.DaskLGBMClassifier(
        n_estimators=work.trees,
        max_depth=DEPTH,
        num_leaves=2**DEPTH,
        learning_rate=RATE,
        max_bin=BINS,
        verbosity=-1,
        client=client,
    )
    estimator.fit(x, y, callbacks=[LightMark(work)])
    return lambda rows: estimator.booster_.predict(rows, raw_score=True)


_FITS = {"gbdist": _fit_gbdist, "xgboost.dask": _fit_xgboost, "lightgbm.dask": _fit_lightgbm}

"""A fit with ``save_snapshot``: what it goes on from, and where its steps are kept (docs/decisions/0029)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from gbdist.boosting.events import Event, IterationDone
from gbdist.boosting.params import BoostParams
from gbdist.boosting.progress import Step
from gbdist.custom.metric import CustomMetric
from gbdist.custom.objective import CustomObjective
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.run_snapshots import RunSnapshots
from gbdist.estimators.setup import Setup
from gbdist.quantize.borders import FeatureBorders
from gbdist.snapshots.identity import Identity, digest_of, plain, usable_steps
from gbdist.snapshots.steps import encode_step
from gbdist.snapshots.store import Loaded, steps_of

#: CatBoost's defaults (output_file_options.cpp): seconds between two snapshots, the name of the file, and the folder.
INTERVAL: Final = 600
FILE: Final = "experiment.cbsnapshot"
FOLDER: Final = "catboost_info"

#: Parameters of a run that change no tree: what runs it, how many trees there are to be, and which of them are kept at the end.
_NO_PART: Final = frozenset(
    {
        "iterations",
        "use_best_model",
        "stopping.min_trees",
        "listeners_may_stop",
        "overlap",
        "shares",
        "threads",
        "card",
        "objective",
        "metrics",
        "eval_metric",
        "categories.columns",
    }
)
#: Fields that are None where nothing of what they are about is used.
_OPTIONAL: Final = ("categories", "penalties", "shrinkage")
#: Names of ours for parameters of CatBoost's.
_NAMES: Final = {
    "bootstrap.kind": "bootstrap_type",
    "bootstrap.subsample": "subsample",
    "bootstrap.bagging_temperature": "bagging_temperature",
    "bootstrap.mvs_reg": "mvs_reg",
    "stopping.kind": "od_type",
    "stopping.wait": "od_wait",
    "stopping.p_value": "od_pval",
    "shrinkage.rate": "model_shrink_rate",
    "shrinkage.mode": "model_shrink_mode",
    "penalties.weights": "feature_weights",
    "penalties.first_uses": "first_feature_use_penalties",
    "ignored": "ignored_features",
    "categories.simple": "simple_ctr",
    "categories.combined": "combinations_ctr",
    "categories.of_column": "per_feature_ctr",
    "categories.max_complexity": "max_ctr_complexity",
    "categories.model_size_reg": "model_size_reg",
    "categories.permutations": "permutation_count",
    "categories.has_time": "has_time",
    "categories.counts_evals": "counter_calc_method",
    "categories.leaf_count_limit": "ctr_leaf_count_limit",
}


class Checkpoint(RunSnapshots):
    """The snapshots of one fit of trees."""

    def __init__(self, path: str, interval: float) -> None:
        self._steps: tuple[Step, ...] = ()
        self._period = 1
        super().__init__(path, interval)

    def _read(self, loaded: Loaded) -> None:
        """See ``RunSnapshots``."""
        self._steps = steps_of(loaded)

    def _begin_with(self) -> tuple[Sequence[bytes], int]:
        """See ``RunSnapshots``."""
        return [encode_step(step) for step in self.steps], len(self._steps)

    def require(self, identity: Identity, metric_period: int) -> None:
        """SnapshotError unless the run may go on from what there is; data are compared by ``begin``, or by the ranks."""
        self._require(identity)
        self._period = metric_period

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the run goes on from; none for one that begins anew."""
        if self._saved is None:
            return ()
        wanted = self.identity.iterations
        return self._steps[: usable_steps(self._saved.iterations, len(self._steps), wanted, self._period)]

    def hear(self, event: Event) -> bool:
        """Take the step of a grown tree; never stops the run."""
        if isinstance(event, IterationDone) and isinstance(event.step, Step):
            self.take(encode_step(event.step))
        return False

    def take(self, record: bytes) -> None:
        """Take a step as a record."""
        if self._writer is not None:
            self._writer.add(record)


def checkpoint_of(parameters: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint that the parameters ask for, or None. Raises SnapshotError for one that cannot be used."""
    if not parameters.get("save_snapshot"):
        return None
    return Checkpoint(snapshot_path(parameters), float(parameters.get("snapshot_interval", INTERVAL)))


def snapshot_path(parameters: Mapping[str, Any]) -> str:
    """Where snapshots go: ``snapshot_file``, in ``train_dir`` unless it is absolute (output_file_options.cpp), or a URL."""
    file = str(parameters.get("snapshot_file", FILE))
    folder = str(parameters.get("train_dir", FOLDER))
    if not folder or "://" in file or file.startswith("/"):
        return file
    return f"{folder.rstrip('/')}/{file}"


def run_identity(
    setup: Setup,
    set_names: Sequence[str],
    features: Sequence[str],
    initial: InitialModel | None,
    borders: Sequence[FeatureBorders] = (),
) -> Identity:
    """What the client knows of a run; borders are given once they are chosen."""
    resolved = setup.on_histograms
    unbinned = {column.position for column in setup.unbinned}
    return Identity(
        iterations=resolved.params.iterations,
        parameters=_parameters(resolved, setup, initial),
        features=tuple(features),
        sets=tuple(zip(set_names, setup.rows, strict=True)),
        borders=tuple(digest_of(each.nan_treatment.encode() + each.values.tobytes()) for each in borders),
        binned=tuple(at for at in range(len(features)) if at not in unbinned) if borders else (),
    )


def _parameters(resolved: Resolved, setup: Setup, initial: InitialModel | None) -> dict[str, Any]:
    params, options = resolved.params, resolved.options
    binarization = options["data_processing_options"]["float_features_binarization"]
    columns = () if params.categories is None else params.categories.columns
    found = {
        "loss_function": _loss(params, options),
        "metrics": [_metric(metric) for metric in params.metrics],
        "class_names": [repr(name) for name in setup.classes or ()],
        "class_weights": resolved.class_weights,
        **_flat("", params),
        "border_count": binarization["border_count"],
        "feature_border_type": binarization["border_type"],
        "nan_mode": binarization["nan_mode"],
        "per_float_feature_quantization": options["data_processing_options"]["per_float_feature_quantization"],
        "cat_features": [column.name for column in columns],
        "one_hot": [column.name for column in columns if column.values is not None],
        "init_model": None if initial is None else digest_of(initial.blob),
    }
    # As they come out of a file, so that equal ones are equal.
    written: dict[str, Any] = json.loads(json.dumps(found))
    return written


def _loss(params: BoostParams, options: Mapping[str, Any]) -> str:
    if isinstance(params.objective, CustomObjective):
        return _of_object(params.objective.given)
    return _described(options["loss_function"])


def _metric(metric: Any) -> str:
    return _of_object(metric.given) if isinstance(metric, CustomMetric) else str(metric.name)


def _described(option: Mapping[str, Any]) -> str:
    """CatBoost's nested form of a loss as a user writes it: ``Huber:delta=2``."""
    params = sorted((name, value) for name, value in option["params"].items() if not name.startswith("__"))
    described = ";".join(f"{name}={value}" for name, value in params)
    return f"{option['type']}:{described}" if described else str(option["type"])


def _of_object(given: Any) -> str:
    """An object of the user's: its class, and those of its attributes that are numbers or texts. Code cannot be compared."""
    plain = {
        name: value for name, value in getattr(given, "__dict__", {}).items() if isinstance(value, int | float | str)
    }
    described = ", ".join(f"{name}={value!r}" for name, value in sorted(plain.items()))
    return f"{type(given).__qualname__}({described})"


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are part of an identity, those of dataclasses in it among them."""
    found: dict[str, Any] = {}
    for each in fields(value):
        name, inner = f"{prefix}{each.name}", getattr(value, each.name)
        if name in _NO_PART:
            continue
        if is_dataclass(inner):
            found |= _flat(f"{name}.", inner)
        elif name in _OPTIONAL:
            found |= {users: None for ours, users in _NAMES.items() if ours.startswith(f"{name}.")}
        else:
            found[_NAMES.get(name, name)] = plain(inner)
    return found

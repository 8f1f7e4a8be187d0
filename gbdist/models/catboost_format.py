"""From gbdist's ensemble to a plain CatBoost model: by way of CatBoost's JSON, then exact leaf values.

The fields are those of catboost/libs/model/model_export/json_model_helpers.cpp. CatBoost's import of JSON is one ulp off for
one leaf value in ten, so the leaf values and the start value are set through CatBoost's API afterwards (DESIGN §7.13).
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ModelError
from gbdist.models.ensemble import Ensemble
from gbdist.models.features_format import features_in_use
from gbdist.models.history import TrainingRecord
from gbdist.models.statistics import StatisticTable
from gbdist.models.tables_format import tables_in_use, write_tables
from gbdist.models.tree import ObliviousTree
from gbdist.models.trees_format import written_trees

_VARYING = ("model_guid", "train_finish_time")
_LABEL_TYPES = ((bool, "Boolean"), (int, "Integer"), (float, "Float"))
# CatBoost's get_all_params() wants the entry; the values are its defaults and describe files, not the model.
_OUTPUT_OPTIONS = {"name": "experiment", "allow_writing_files": False, "metric_period": 1, "use_best_model": False}


def to_catboost(
    ensemble: Ensemble, record: TrainingRecord | None = None
) -> catboost.CatBoostClassifier | catboost.CatBoostRegressor:
    """A fitted CatBoost estimator with the ensemble's trees: a classifier where there are class names.

    Its raw predictions equal ``bias + Σ leaf values`` added in tree order. Only borders, statistics and tables that a tree uses
    are written, as CatBoost does, so that prediction does not pay for the others. An ensemble without trees gets one leaf of
    zeros, for CatBoost cannot predict without a tree. Equal ensembles of equal records give equal ``.cbm`` bytes: the guid is a
    digest of the ensemble, and no time is written.
    """
    trees = ensemble.trees or (_leaf_of_zeros(ensemble.dimension),)
    leaf_values = np.concatenate([tree.leaf_values.ravel() for tree in trees])
    features = features_in_use(trees, ensemble)
    tables = tables_in_use(features.statistics, ensemble.categories.tables, ensemble.borders)
    document: dict[str, Any] = {
        "model_info": _model_info(ensemble),
        **written_trees(trees, features.split_index),
        "features_info": features.info,
        "scale_and_bias": [1, [0] * ensemble.dimension],
    }
    document["model_info"]["model_guid"] = _guid(document, leaf_values, ensemble.bias, tables)
    if record is not None:
        document["model_info"].update(record.metadata)
    model = _load_json(document, tables, _estimator(ensemble.class_names))
    model.set_leaf_values(leaf_values)
    model.set_scale_and_bias(1.0, ensemble.bias.tolist())
    return as_fitted(model)


def as_fitted(model: Any) -> Any:
    """Give a loaded model what ``fit`` gives and loading does not: feature importances, and the number of features."""
    # Kept by the model as feature_importances_. Without a type, CatBoost asks for the rows of a ranker.
    model.get_feature_importance(type="PredictionValuesChange")
    model._n_features_in = len(model.feature_names_)  # CatBoost itself leaves 0 there after loading
    return model


def fixed_cbm_bytes(model: catboost.CatBoost) -> bytes:
    """The model as ``.cbm`` with guid and time of training blank: equal for two models that are the same."""
    copy = read_cbm(cbm_bytes(model))
    metadata = copy.get_metadata()
    for key in _VARYING:
        metadata[key] = ""
    return cbm_bytes(copy)


def cbm_bytes(model: catboost.CatBoost) -> bytes:
    """The model as CatBoost's own binary file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path), format="cbm")
        return path.read_bytes()


def json_document(model: catboost.CatBoost) -> Any:
    """The model as CatBoost's JSON, read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return json.loads(path.read_text(encoding="utf-8"))


def read_cbm(blob: bytes, model: Any = None) -> Any:
    """A model from the bytes of its file, read into ``model``, a new ``catboost.CatBoost`` by default.

    By way of a file: CatBoost 1.2 lets a model that it has read from memory, or copied, not be changed, and where it has text
    features saves it as a file that crashes whoever reads it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        path.write_bytes(blob)
        return (catboost.CatBoost() if model is None else model).load_model(str(path))


def load_file(model: Any, path: str | Path, format_: str = "cbm", what: str = "load_model") -> Any:
    """Fill a CatBoost model from a file and return it; ``ModelError``, which begins with ``what``, if that cannot be."""
    if not Path(path).is_file():
        problem = f"{str(path)!r} is a folder" if Path(path).is_dir() else f"there is no file {str(path)!r}"
        raise ModelError(f"{what}: {problem}", "Pass the path of a saved CatBoost model.")
    try:
        return model.load_model(str(path), format=format_)
    except catboost.CatBoostError as error:
        problem = f"{what}: CatBoost cannot read {str(path)!r} in its format {format_!r} ({error})"
        raise ModelError(
            problem, "Pass a file that CatBoost or gbdist saved, and the format it was saved in."
        ) from error


def save_file(model: Any, path: str | Path, format_: str, options: Mapping[str, Any]) -> None:
    """Write a model in one of CatBoost's formats; ``ModelError`` if that cannot be."""
    try:
        model.save_model(str(path), format=format_, **options)
    except catboost.CatBoostError as error:
        problem = f"save_model: CatBoost cannot write {str(path)!r} in its format {format_!r} ({error})"
        raise ModelError(problem, "Check that the folder is there and can be written to, and the format.") from error


def _load_json(document: dict[str, Any], tables: Mapping[str, StatisticTable], model: Any) -> Any:
    # CatBoost reads JSON from files only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(document)[:-1])  # open at its end, for the tables to follow
            if tables:
                file.write(',"ctr_data":')
                write_tables(tables, file)
            file.write("}")
        return model.load_model(str(path), format="json")


def _estimator(class_names: tuple[Any, ...] | None) -> Any:
    return catboost.CatBoostRegressor() if class_names is None else catboost.CatBoostClassifier()


def _leaf_of_zeros(dimension: int) -> ObliviousTree:
    return ObliviousTree((), np.zeros((1, dimension)), np.zeros(1))


def _model_info(ensemble: Ensemble) -> dict[str, Any]:
    info: dict[str, Any] = {"output_options": json.dumps(_OUTPUT_OPTIONS)}
    options = dict(ensemble.options)
    labels = None if ensemble.class_names is None else [_plain(label) for label in ensemble.class_names]
    if labels is not None:
        info["class_params"] = {
            "class_label_type": _label_type(labels),
            "class_names": labels,
            "class_to_label": list(range(len(labels))),
            "classes_count": 0,
        }
        options["data_processing_options"] = {**options.get("data_processing_options", {}), "class_names": labels}
    if "system_options" in options:
        # How many threads trained the model is no property of the model (DESIGN §1.1).
        options["system_options"] = {**options["system_options"], "thread_count": -1}
    if "flat_params" in options:
        options["flat_params"] = {k: v for k, v in options["flat_params"].items() if k != "thread_count"}
    if options:
        info["params"] = options
    return info


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _label_type(labels: Sequence[Any]) -> str:
    for kind, name in _LABEL_TYPES:  # bool first: a bool is an int too
        if all(isinstance(label, kind) for label in labels):
            return name
    return "String"


def _guid(
    document: dict[str, Any],
    leaf_values: NDArray[np.float64],
    bias: NDArray[np.float64],
    tables: Mapping[str, StatisticTable],
) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    digest.update(leaf_values.tobytes())
    digest.update(bias.tobytes())
    for identifier, table in tables.items():
        digest.update(identifier.encode())
        digest.update(table.keys.tobytes())
        digest.update(table.counts.tobytes())
    words = digest.hexdigest()
    return "-".join(words[start : start + 8] for start in range(0, 32, 8))

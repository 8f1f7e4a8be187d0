"""The model that training goes on from: its raw predictions are where the new trees start."""

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoost
from numpy.typing import NDArray

from gbdist.errors import DataError, ModelError
from gbdist.models.catboost_format import load_file
from gbdist.models.merge import require_same_trees
from gbdist.quantize.raw import RawPart

_BLOCK_CELLS = 1 << 22


@dataclass(frozen=True)
class InitialModel:
    """A CatBoost model in its binary format, with what must fit the new data.

    ``dimension`` is the number of raw values a row gets; ``class_names`` is None for a regressor.
    """

    blob: bytes
    dimension: int
    feature_names: tuple[str, ...]
    class_names: tuple[Any, ...] | None

    def model(self) -> Any:
        """The CatBoost model itself."""
        return _loaded(self.blob)

    def raw_predictions(self, part: RawPart) -> NDArray[np.float64]:
        """Raw values of the rows of a partition, float64 [dimension, n_rows]."""
        table = part.open()
        out = np.empty((self.dimension, table.n_rows), dtype=np.float64)
        step = max(1, _BLOCK_CELLS // max(1, len(table.names)))
        columns = [table.column(feature) for feature in range(len(table.names))]
        for start in range(0, table.n_rows, step):
            rows = slice(start, min(start + step, table.n_rows))
            block = np.stack([values[rows] for values in columns], axis=1)
            raw = self.model().predict(block, prediction_type="RawFormulaVal", thread_count=1)
            out[:, rows] = np.asarray(raw, dtype=np.float64).reshape(len(block), self.dimension).T
        return out

    def require_fit(self, names: tuple[str, ...], class_names: tuple[Any, ...] | None) -> None:
        """DataError or ModelError unless the model is of the same features and classes as the new data."""
        if len(names) != len(self.feature_names):
            raise DataError(
                "init_model",
                f"a model of {len(self.feature_names)} features",
                f"one of the {len(names)} features of X",
                "Continue with the columns that the model was trained on.",
            )
        if names != self.feature_names:
            at = next(i for i, name in enumerate(names) if name != self.feature_names[i])
            raise DataError(
                "init_model",
                f"feature {self.feature_names[at]!r} at position {at}",
                f"{names[at]!r}, as in X",
                "Give X the columns of the model in the model's order.",
            )
        if (self.class_names is None) != (class_names is None):
            kinds = ("a regressor", "a classifier")
            found = kinds[self.class_names is not None]
            raise ModelError(
                f"init_model is {found}, and {kinds[class_names is not None]} is trained",
                "Use a model of the same kind.",
            )
        if class_names is not None and list(self.class_names or ()) != list(class_names):
            raise DataError(
                "init_model",
                f"classes {list(self.class_names or ())}",
                f"{list(class_names)}, as in y",
                "Continue on data with all classes of the model and no others.",
            )


def initial_model(given: Any, *, symmetric: bool) -> InitialModel:
    """Read ``init_model``: a CatBoost model or estimator, one of ours, or the path of a model file.

    ``symmetric``: whether the trees that are to follow are. ModelError for a model that cannot be continued.
    """
    named = isinstance(given, str | Path)
    model = load_file(CatBoost(), given, what="init_model") if named else getattr(given, "model_", given)
    if not isinstance(model, CatBoost) or not model.is_fitted():
        raise ModelError(
            f"init_model is a {type(given).__name__} that is not a fitted CatBoost model",
            "Pass a fitted estimator, its model_, or the path of a model file.",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "initial.cbm"
        model.save_model(str(path))
        blob = path.read_bytes()
    return _describe(blob, symmetric=symmetric)


def _describe(blob: bytes, *, symmetric: bool) -> InitialModel:
    model = _loaded(blob)
    if model.get_cat_feature_indices() or model.get_text_feature_indices() or model.get_embedding_feature_indices():
        raise ModelError(
            "init_model uses categorical, text or embedding features", "Continue from a model of numeric features."
        )
    names = tuple(str(name) for name in model.feature_names_)
    classes = tuple(np.asarray(model.classes_).tolist()) if len(model.classes_) else None
    one_row = np.zeros((1, len(names)), dtype=np.float32)
    dimension = int(np.size(model.predict(one_row, prediction_type="RawFormulaVal")))
    require_same_trees(model, dimension, symmetric=symmetric)
    return InitialModel(blob, dimension, names, classes)


@lru_cache(maxsize=2)
def _loaded(blob: bytes) -> Any:
    return CatBoost().load_model(blob=blob)

"""What a page is about: a model, the record of its training, and some rows in memory."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from catboost import CatBoost, Pool
from catboost.core import is_ranking_metric
from numpy.typing import NDArray

from gbdist.models.history import TrainingRecord
from gbdist.models.loss import default_prediction, described_loss, loss_of
from gbdist.models.splits import has_splits
from gbdist.objectives.pointwise import FAMILIES
from gbdist.spaced import evenly_spaced

Task = Literal["classes", "probabilities", "numbers", "quantiles", "ranking", "other"]

#: Losses of one number and one raw value a row; a sum of models may not say its loss.
_OF_NUMBERS = frozenset({"", "RMSE", "GroupQuantile", *FAMILIES})
#: The level of ``Quantile`` unless it says otherwise, and of ``MAE``.
_MEDIAN = 0.5
#: Losses of times until something happens, or until rows were last seen.
OF_TIMES = ("Cox", "SurvivalAft")


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a data set.

    Parameters
    ----------
    features : pandas.DataFrame [n, n_features]
        In the model's order, under its names: numbers in float32, categories and texts as strings, vectors as arrays.
    label : int64 or float64 [n], or None
        Places among the model's classes; or numbers, where the model has no classes or its labels are probabilities.
    label_name : str
        What the label is called on axes.
    origin : str
        Which rows, of how many: "2,000 of the 10,000 rows of new.parquet".
    """

    features: Any
    label: NDArray[Any] | None
    label_name: str
    origin: str

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.features)

    @property
    def known_label(self) -> NDArray[Any]:
        """The label, of rows that have one; else TypeError."""
        if self.label is None:
            raise TypeError("these rows have no labels")
        return self.label

    def told(self, n: int) -> str:
        """So many of these rows, in words."""
        return self.origin if n == self.n else f"{n:,} of {self.origin}"

    def some(self, most: int) -> "Rows":
        """At most so many of them, evenly spaced."""
        if self.n <= most:
            return self
        chosen = evenly_spaced(self.n, most)
        label = None if self.label is None else self.label[chosen]
        return Rows(self.features.iloc[chosen], label, self.label_name, self.origin)


@dataclass(frozen=True, eq=False)
class Subject:
    """A CatBoost model that has been read from a file or fitted, and what there is to say of it.

    ``name`` is the model's on the page; ``remedy`` says in words how rows, or rows with labels, come to the page.
    """

    model: Any
    name: str
    record: TrainingRecord | None
    rows: Rows | None
    remedy: str

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(str(name) for name in self.model.feature_names_)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; none where there are none."""
        return tuple(str(label) for label in np.asarray(self.model.classes_).tolist())

    @cached_property
    def loss(self) -> str:
        """The loss without its options; nothing where the model does not say."""
        return loss_of(self.model) or ""

    @cached_property
    def task(self) -> Task:
        """What the model predicts."""
        return task_of(self.model)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """What each raw value of a row is called: nothing for one value a row."""
        raw = self.n_raw
        if raw == 1:
            return ("",)
        if self.task == "quantiles":
            return tuple(f"quantile {level:g}" for level in quantile_levels(self.model))
        if len(self.classes) == raw:
            return tuple(f"class {name}" for name in self.classes)
        return tuple(f"value {number}" for number in range(raw))

    @cached_property
    def n_raw(self) -> int:
        """Raw values a row."""
        return len(np.ravel(self.model.get_scale_and_bias()[1]))

    @cached_property
    def has_splits(self) -> bool:
        """Whether any tree asks for a feature. Where none does, CatBoost's questions about features can end the process."""
        return has_splits(self.model)

    def pool(self, rows: Rows) -> Pool:
        """The rows as CatBoost takes them, with labels where there are any: those of classes under their own names."""
        model, label = self.model, rows.label
        if label is not None and self.task == "classes":
            label = np.asarray(model.classes_)[label]
        return Pool(
            rows.features,
            label,
            cat_features=list(model.get_cat_feature_indices()),
            text_features=list(model.get_text_feature_indices()),
            embedding_features=list(model.get_embedding_feature_indices()),
        )

    def predicted(self, rows: Rows, kind: str | None = None) -> NDArray[np.float64]:
        """Predictions, float64 [n, n_values]; of CatBoost's ``prediction_type``, or what a regressor predicts by default."""
        kind = default_prediction(self.model) if kind is None else kind
        answer = CatBoost.predict(
            self.model, self.pool(rows), prediction_type=kind
        )  # CatBoostRanker's own takes no type
        return np.asarray(answer, dtype=np.float64).reshape(rows.n, -1)


def task_of(model: Any) -> Task:
    """What a CatBoost model predicts, as its loss and its classes tell."""
    loss = loss_of(model) or ""
    dimension = len(np.ravel(model.get_scale_and_bias()[1]))
    if loss == "CrossEntropy":
        return "probabilities"
    if len(model.classes_):
        return "other" if loss.startswith("Multi") and loss not in ("MultiClass", "MultiClassOneVsAll") else "classes"
    if loss == "MultiQuantile":
        return "quantiles"
    if loss and is_ranking_metric(loss):
        return "ranking"
    # Whatever is not known to compare one number with one prediction is left alone: CatBoost crashes on labels of another shape.
    return "numbers" if dimension == 1 and loss in _OF_NUMBERS else "other"


def quantile_levels(model: Any) -> list[float]:
    """The levels of a model that was trained with ``MultiQuantile``."""
    options = str(described_loss(model)).partition("alpha=")[2].partition(";")[0]
    return [float(level) for level in options.split(",")]


def quantile_level(model: Any) -> float | None:
    """The level of a model that was trained with ``Quantile`` or ``MAE``; None of other losses."""
    name, _, options = str(described_loss(model)).partition(":")
    if name not in ("Quantile", "MAE"):
        return None
    said = dict(option.partition("=")[::2] for option in options.split(";"))
    return float(said.get("alpha", _MEDIAN))

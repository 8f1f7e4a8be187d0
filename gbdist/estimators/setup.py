"""What the facts of all data sets and the user's parameters decide together, before any bin is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.description import name_of
from gbdist.errors import DataError
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.parameters.aggregation import Aggregation
from gbdist.estimators.parameters.canonical import class_order
from gbdist.estimators.parameters.resolve import DataFacts, Resolved, resolve
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds, resolve_rounds
from gbdist.estimators.preparation.quantized import class_names, codes_for_classes, numbers_of_codes
from gbdist.objectives import make_objective
from gbdist.objectives.pointwise import FAMILIES
from gbdist.quantize.exact import to_float
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.survey import LabelFacts
from gbdist.quantize.unbinned import HASHED, UnbinnedFacts

#: What CatBoostClassifier calls its classes when labels are probabilities.
_PROBABILITY_CLASSES = (0, 1)
_FLOAT_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Setup:
    """Parameters and labels of a run.

    ``classes`` are those of the model, None for a regressor. ``label_of_code`` has one entry a data set: what the label
    codes in the shards mean to the trainer, None where the shards keep the values themselves. ``unbinned`` is about
    the training set's columns that are not binned; ``numbered_groups`` says of each data set whether its groups have integers
    as ids; ``rows`` are how many each has.
    """

    resolved: Resolved | ResolvedRounds
    classes: tuple[Any, ...] | None
    label_of_code: tuple[NDArray[np.float32] | None, ...]
    unbinned: tuple[UnbinnedFacts, ...] = ()
    numbered_groups: tuple[bool, ...] = ()
    rows: tuple[int, ...] = ()

    @property
    def class_weights(self) -> NDArray[np.float64] | None:
        """Weight of each class, None without."""
        weights = self.resolved.class_weights
        return None if weights is None else np.asarray(weights, dtype=np.float64)


def set_up(
    checked: Mapping[str, object],
    classifier: bool,
    surveys: Sequence[DataSurvey],
    names: Sequence[str],
    initial: InitialModel | None,
    aggregation: Aggregation | None = None,
) -> Setup:
    """Resolve the parameters and match the labels of all data sets; the first one is trained on.

    ``names`` are what errors call the data sets. Raises ParameterError, DataError, ModelError.
    """
    train = surveys[0]
    if train.label is None:
        raise DataError("y", "None", "one label a row", "y is required to train: pass y, or make the DaskPool with y.")
    if classifier and checked.get("loss_function") != "CrossEntropy":
        classes = _ordered(class_names(train), class_order(checked))
        tables: list[NDArray[np.float32] | None] = [
            codes_for_classes(survey, classes, name or "y") for survey, name in zip(surveys, names, strict=True)
        ]
        low, high = 0.0, float(len(classes) - 1)
        sums = _weight_sums(train.label, classes)
    else:
        _check_range(surveys, names, str(checked.get("loss_function", "RMSE")))
        classes, sums = None, None
        tables = [numbers_of_codes(survey, name or "y") for survey, name in zip(surveys, names, strict=True)]
        low, high = train.label.minimum, train.label.maximum
    facts = DataFacts(
        rows=train.n_rows,
        features=len(train.names) + len(train.unbinned),
        class_names=classes,
        label_min=low,
        label_max=high,
        weighted=train.weight is not None,
        eval_sets=len(surveys) - 1,
        eval_label_constant=len(surveys) > 1 and _constant(surveys[1]),
        baseline=train.baseline is not None,
        init_model=initial is not None,
        class_weight_sums=sums,
        categorical=tuple(each for each in train.unbinned if each.kind == HASHED),
        names=_all_names(train),
    )
    resolved = resolve(checked, facts) if aggregation is None else resolve_rounds(checked, facts, aggregation)
    _check_baselines(surveys, names, resolved.dimension)
    for survey, name in zip(surveys, names, strict=True):
        _check_vectors(survey, train, name)
    model_classes = _PROBABILITY_CLASSES if classifier and classes is None else classes
    if initial is not None:
        initial.require_fit(train.names, model_classes)
    numbered = tuple(survey.group_kind == "integer" for survey in surveys)
    rows = tuple(survey.n_rows for survey in surveys)
    return Setup(resolved, model_classes, tuple(tables), train.unbinned, numbered, rows)


def _all_names(train: DataSurvey) -> tuple[str, ...]:
    """Names of all columns, by position: those that are binned lie between the others."""
    names = list(train.names)
    for each in train.unbinned:
        names.insert(each.position, each.name)
    return tuple(names)


def _ordered(values: tuple[Any, ...], order: tuple[object, ...] | None) -> tuple[Any, ...]:
    """The classes in the order of a class_weights dictionary, as CatBoost takes it, if that names just these."""
    if order is None or len(order) != len(values) or set(order) != set(values):
        return values
    by_value = {value: value for value in values}
    return tuple(by_value[value] for value in order)


def _weight_sums(label: LabelFacts, classes: Sequence[Any]) -> tuple[float, ...]:
    sum_of = dict(zip(label.values or (), label.weight_of_value, strict=True))
    return tuple(to_float(sum_of[value]) for value in classes)


def _check_range(surveys: Sequence[DataSurvey], names: Sequence[str], loss: str) -> None:
    """DataError unless all labels are in the range of the loss, and finite in float32, in which they are trained on."""
    name = name_of(loss)
    family = FAMILIES.get(name)
    lowest, highest = -_FLOAT_MAX, _FLOAT_MAX
    expected, fix = "numbers that float32 can hold", "Divide y by a constant."
    if name == "CrossEntropy":
        lowest, highest = 0.0, 1.0
        expected, fix = "probabilities from 0 to 1 for CrossEntropy", "Check y, or use another loss_function."
    elif family is not None and family.lowest_label > lowest:
        lowest = family.lowest_label
        expected, fix = f"labels of at least {lowest:g} for {name}", "Check y, or use another loss_function."
    elif name == "Lq":
        highest = min(highest, make_objective(loss, 1).largest_prediction)
        lowest = -highest
        expected, fix = f"labels from {lowest:.3g} to {highest:.3g} for {loss}", "Divide y by a constant, or lower q."
    for survey, of_set in zip(surveys, names, strict=True):
        label = survey.label
        if label is not None and not lowest <= label.minimum <= label.maximum <= highest:
            found = f"labels from {label.minimum:g} to {label.maximum:g}"
            raise DataError(f"{of_set}, y" if of_set else "y", found, expected, fix)


def _constant(survey: DataSurvey) -> bool:
    label = survey.label
    if label is None:
        return False
    return len(label.values) == 1 if label.values is not None else label.minimum == label.maximum


def _check_vectors(survey: DataSurvey, train: DataSurvey, name: str) -> None:
    """DataError for vectors of another length than those of the training set: CatBoost would read beyond them."""
    for mine, theirs in zip(survey.unbinned, train.unbinned, strict=True):
        if mine.dimension != theirs.dimension:
            raise DataError(
                f"{name}, column {mine.name!r}",
                f"vectors of {mine.dimension} numbers",
                f"{theirs.dimension}, as in the training set",
                "Give all vectors of a column the same length.",
            )


def _check_baselines(surveys: Sequence[DataSurvey], names: Sequence[str], dimension: int) -> None:
    wanted = surveys[0].baseline is not None
    for survey, name in zip(surveys, names, strict=True):
        baseline = survey.baseline
        where = f"{name}, baseline" if name else "baseline"
        if (baseline is not None) != wanted:
            found, expected = ("none", "one, as X has one") if wanted else ("one", "none, as X has none")
            raise DataError(
                where, found, expected, "Make the eval set with DaskPool(X, y, baseline=..., borders_of=...)."
            )
        if baseline is not None and baseline.dimension != dimension:
            raise DataError(
                where,
                f"{baseline.dimension} column(s)",
                f"{dimension}, one for each raw value of the model",
                "Give it the shape [n_rows, n_raw_values].",
            )

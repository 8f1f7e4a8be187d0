"""What the facts of all data sets and the user's parameters decide together, before any bin is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.description import name_of
from gbdist.errors import DataError
from gbdist.estimators.folds import AnyFolds
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.parameters.aggregation import Aggregation
from gbdist.estimators.parameters.canonical import class_order
from gbdist.estimators.parameters.facts import DataFacts
from gbdist.estimators.parameters.ranking import refuse_row_weights
from gbdist.estimators.parameters.resolve import Resolved, resolve
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds, resolve_rounds
from gbdist.estimators.preparation.quantized import class_names, codes_for_classes, numbers_of_codes
from gbdist.estimators.rank_folds import FoldsAsked
from gbdist.estimators.ranked_rows import RankedSets
from gbdist.estimators.sources import GroupGiven
from gbdist.metrics.base import Metric
from gbdist.metrics.ranking import GroupLoss, GroupScore, PairLoss
from gbdist.objectives import RANKING, Grouped, make_objective
from gbdist.objectives.multi_target import MULTI_TARGET, WITH_MISSING
from gbdist.objectives.pointwise import FAMILIES
from gbdist.quantize.exact import to_float
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.pairs import require_rows
from gbdist.quantize.survey import LabelFacts
from gbdist.quantize.unbinned import HASHED, UnbinnedFacts

#: What CatBoostClassifier calls its classes when labels are probabilities.
_PROBABILITY_CLASSES = (0, 1)
#: Of labels as numbers.
_EDGES = ((min, "minimum"), (max, "maximum"))
_FLOAT_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Setup:
    """Parameters and labels of a run.

    ``classes`` are those of the model, None for a regressor. ``label_of_code`` has one entry a data set: what the label
    codes in the shards mean to the trainer, None where the shards keep the values themselves. ``unbinned`` is about
    the training set's columns that are not binned; ``ranked`` about the groups of all data sets, None of estimators that do not
    rank; ``rows`` are how many each data set has. With ``folds`` a model is trained for each of them.
    ``apart``: each fold has data sets of its own, rows to train on and rows held out in turn. ``of_classes``: labels are numbers
    of ``classes`` to the trainer.
    """

    resolved: Resolved | ResolvedRounds
    classes: tuple[Any, ...] | None
    label_of_code: tuple[NDArray[np.float32] | None, ...]
    unbinned: tuple[UnbinnedFacts, ...] = ()
    ranked: RankedSets | None = None
    rows: tuple[int, ...] = ()
    folds: FoldsAsked | None = None
    apart: bool = False
    of_classes: bool = False

    @property
    def n_folds(self) -> int:
        """How many models are trained side by side, 0 for a plain fit."""
        return 0 if self.folds is None else self.folds.n_folds

    @property
    def on_histograms(self) -> Resolved:
        """What a run on histograms was resolved to; TypeError for a run by rounds of models."""
        if not isinstance(self.resolved, Resolved):
            raise TypeError("histograms were not asked for")
        return self.resolved

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
    given: Sequence[GroupGiven] = (),
    folds: AnyFolds | None = None,
) -> Setup:
    """Resolve the parameters and match the labels of all data sets; the first one is trained on.

    ``names`` are what errors call the data sets, ``given`` what a ranker was given for their groups. What follows from the number
    of rows, such as the automatic learning rate, follows with ``folds`` from those that a fold trains on. Raises ParameterError,
    DataError, ModelError.
    """
    train, loss = surveys[0], name_of(str(checked.get("loss_function")))
    _check_given(surveys, names, loss, classifier, of_models=aggregation is not None)
    if train.label is not None and classifier and loss not in ("CrossEntropy", *MULTI_TARGET):
        classes = ordered(class_names(train), class_order(checked))
        tables: list[NDArray[np.float32] | None] = [
            codes_for_classes(survey, classes, name or "y") for survey, name in zip(surveys, names, strict=True)
        ]
        low, high = 0.0, float(len(classes) - 1)
        sums = _weight_sums(train.label, classes)
    else:
        check_range(surveys, names, str(checked.get("loss_function", "RMSE")))
        classes, sums = None, None
        tables = [numbers_of_codes(survey, name or "y") for survey, name in zip(surveys, names, strict=True)]
        low, high = (edge([getattr(label, at) for label in train.targets]) for edge, at in _EDGES)
    facts = DataFacts(
        rows=train.n_rows if folds is None else folds.trained_rows(train.n_rows),
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
        labels=len(train.targets),
        group_weighted=any(one.weights_groups for one in given),
    )
    described = str(checked.get("loss_function"))
    ranked = _ranked(surveys, names, given, described if aggregation is None else "") if given else None
    resolved = resolve(checked, facts) if aggregation is None else resolve_rounds(checked, facts, aggregation)
    _check_labels_of_metrics(surveys, names, resolved.metrics)
    _check_baselines(surveys, names, resolved.dimension)
    for survey, name in zip(surveys, names, strict=True):
        _check_vectors(survey, train, name)
    model_classes = classes
    if classifier and classes is None:
        model_classes = tuple(range(len(train.targets))) if loss in MULTI_TARGET else _PROBABILITY_CLASSES
    if initial is not None:
        initial.require_fit(train.names, model_classes)
    rows = tuple(survey.n_rows for survey in surveys)
    asked = None if folds is None else folds.of_data(train.n_rows, train.label, classes)
    told = (resolved, model_classes, tuple(tables), train.unbinned, ranked, rows, asked)
    return Setup(*told, of_classes=classes is not None)


def _check_given(
    surveys: Sequence[DataSurvey], names: Sequence[str], loss: str, classifier: bool, *, of_models: bool
) -> None:
    """DataError for labels, or weights, that the training set must have or must not have."""
    train = surveys[0]
    if not train.targets:
        raise DataError("y", "None", "one label a row", "y is required to train: pass y, or make the DaskPool with y.")
    _check_number_of_labels(surveys, names, loss, classifier)
    if loss == "Cox" and train.weight is not None:
        fix = "Leave it out: CatBoost takes weights beside Cox, and does not heed them."
        raise DataError("sample_weight", "weights", "none with loss_function='Cox'", fix)
    if of_models and len(train.targets) > 1:
        fix = "Leave aggregate out: histograms are counted for them."
        raise DataError("y", f"{len(train.targets)} columns", 'one label a row with aggregate="models"', fix)


def _ranked(surveys: Sequence[DataSurvey], names: Sequence[str], given: Sequence[GroupGiven], loss: str) -> RankedSets:
    """Facts of the groups of all data sets; ``loss`` is empty where CatBoost itself trains."""
    weighted = [survey.weight is not None for survey in surveys]
    of_groups = [one.weights_groups and has for one, has in zip(given, weighted, strict=True)]
    refuse_row_weights(loss, list(zip(names, weighted, of_groups, strict=True)))
    for one, survey, name in zip(given, surveys, names, strict=True):
        if one.pairs is not None:
            require_rows(one.pairs, survey.n_rows, f"{name}, pairs" if name else "pairs")
    return RankedSets(
        numbered=tuple(survey.group_kind == "integer" for survey in surveys),
        group_weighted=tuple(of_groups),
        paired=tuple(one.pairs is not None for one in given),
    )


def _check_labels_of_metrics(surveys: Sequence[DataSurvey], names: Sequence[str], metrics: Sequence[Metric]) -> None:
    """DataError for labels that a metric of groups is no measure of, in any data set."""
    for metric in metrics:
        if not isinstance(metric, GroupScore | GroupLoss | PairLoss):
            continue
        lowest, highest = metric.labels
        for survey, name in zip(surveys, names, strict=True):
            low, high = (edge([getattr(label, at) for label in survey.targets]) for edge, at in _EDGES)
            if not lowest <= low <= high <= highest:
                expected = f"labels from {lowest:g} to {highest:g} for the metric {metric.name}"
                fix = "Change the labels, or choose another metric."
                raise DataError(name or "y", f"labels from {low:g} to {high:g}", expected, fix)


def _all_names(train: DataSurvey) -> tuple[str, ...]:
    """Names of all columns, by position: those that are binned lie between the others."""
    names = list(train.names)
    for each in train.unbinned:
        names.insert(each.position, each.name)
    return tuple(names)


def ordered(values: tuple[Any, ...], order: tuple[object, ...] | None) -> tuple[Any, ...]:
    """Sorted classes in the order of a class_weights dictionary, as CatBoost takes it, if that names just these."""
    if order is None or len(order) != len(values) or set(order) != set(values):
        return values
    by_value = {value: value for value in values}
    return tuple(by_value[value] for value in order)


def _weight_sums(label: LabelFacts, classes: Sequence[Any]) -> tuple[float, ...]:
    sum_of = dict(zip(label.values or (), label.weight_of_value, strict=True))
    return tuple(to_float(sum_of[value]) for value in classes)


def _check_number_of_labels(surveys: Sequence[DataSurvey], names: Sequence[str], loss: str, classifier: bool) -> None:
    """DataError for several labels a row beside a loss of one, or for another number of labels than in the training set."""
    wanted = len(surveys[0].targets)
    if loss == "SurvivalAft":
        if wanted != 2:
            fix = "Pass two columns, lower and upper end, -1 for none; both the time itself where it is known."
            raise DataError("y", f"{wanted} column(s)", "the two ends of a time for SurvivalAft", fix)
    elif wanted > 1 and loss not in MULTI_TARGET:
        losses = " or ".join(
            each for each in MULTI_TARGET if (MULTI_TARGET[each] != MULTI_TARGET[WITH_MISSING]) == classifier
        )
        fix = f"Pass one column, or set loss_function to {losses}."
        if loss == "Cox":
            fix = "Pass the time alone, negative where nothing had happened by then, or use SurvivalAft for two ends of a time."
        raise DataError("y", f"{wanted} columns", "one label a row", fix)
    for survey, name in zip(surveys[1:], names[1:], strict=True):
        if survey.targets and len(survey.targets) != wanted:
            found, fix = f"{len(survey.targets)} column(s)", "Give every data set the same labels."
            raise DataError(f"{name}, y", found, f"{wanted} as in the training set", fix)


def check_range(surveys: Sequence[DataSurvey], names: Sequence[str], loss: str) -> None:
    """DataError unless all labels are in the range of the loss, and finite in float32, in which they are trained on."""
    name = name_of(loss)
    ranking = make_objective(loss, 1) if name in RANKING else None
    family = FAMILIES.get(name)
    lowest, highest = -_FLOAT_MAX, _FLOAT_MAX
    expected, fix = "numbers that float32 can hold", "Divide y by a constant."
    if name in ("CrossEntropy", "MultiCrossEntropy", "MultiLogloss"):
        lowest, highest = 0.0, 1.0
        expected, fix = f"probabilities from 0 to 1 for {name}", "Check y, or use another loss_function."
    elif family is not None and family.lowest_label > lowest:
        lowest = family.lowest_label
        expected, fix = f"labels of at least {lowest:g} for {name}", "Check y, or use another loss_function."
    elif isinstance(ranking, Grouped):
        lowest, highest = max(lowest, ranking.lowest_label), min(highest, ranking.largest_label)
        if lowest > -_FLOAT_MAX:
            most = f" and at most {highest:g}" if highest < _FLOAT_MAX else ""
            expected, fix = f"labels of at least {lowest:g}{most} for {loss}", "Check y, or use another loss_function."
    elif name == "Lq":
        highest = min(highest, make_objective(loss, 1).largest_prediction)
        lowest = -highest
        expected, fix = f"labels from {lowest:.3g} to {highest:.3g} for {loss}", "Divide y by a constant, or lower q."
    for survey, of_set in zip(surveys, names, strict=True):
        where = f"{of_set}, y" if of_set else "y"
        if name == "SurvivalAft":
            _check_intervals(survey, where)
        for label in survey.targets:
            if not lowest <= label.minimum <= label.maximum <= highest:
                raise DataError(where, f"labels from {label.minimum:g} to {label.maximum:g}", expected, fix)
            if name == "Cox" and survey is surveys[0] and not label.maximum > 0.0:
                found, expected = "no label above 0", "times of events above 0, and times without one below 0"
                raise DataError(where, found, expected, "Check the signs of y.")
            if name in (*MULTI_TARGET, "SurvivalAft"):
                check_one_of_several(label, name, where)


def _check_intervals(survey: DataSurvey, where: str) -> None:
    """DataError for rows whose two labels are not the ends of a time."""
    facts = survey.intervals
    wrong = (
        (facts.n_crossed, "a lower end above the upper one", "lower ends up to the upper ones", "Swap them."),
        (facts.n_open, "neither end", "at least one end", "Leave those rows out: they say nothing."),
        (facts.n_not_positive, "an end at 0 or below", "times above 0, or -1 for none", "Correct those rows."),
    )
    for count, found, expected, fix in wrong:
        if count:
            raise DataError(where, f"{count} row(s) with {found}", expected, fix)


def check_one_of_several(label: LabelFacts, loss: str, where: str) -> None:
    """DataError for labels of a row of several that the loss cannot use."""
    if label.kind == "string":
        raise DataError(where, "strings", "numbers", "Make a column of 0 and 1 of each label.")
    if label.n_missing and loss != WITH_MISSING:
        fix = f"Drop or repair those rows, or use {WITH_MISSING}, which leaves missing labels out."
        raise DataError(where, f"{label.n_missing} missing value(s)", "a label in every row", fix)
    if loss == "MultiLogloss" and (label.values is None or not {0, 1}.issuperset(label.values)):
        other = next(value for value in label.values or (0.5,) if value not in (0, 1))
        raise DataError(where, f"the label {other!r}", "0 or 1", "Use MultiCrossEntropy for probabilities.")


def _constant(survey: DataSurvey) -> bool:
    return bool(survey.targets) and all(
        len(label.values) == 1 if label.values is not None else label.minimum == label.maximum
        for label in survey.targets
    )


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

"""What labels of data mean to a model, and whether the data are of use to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.description import name_of
from gbdist.errors import DataError
from gbdist.estimators.preparation.quantized import codes_for_classes, numbers_of_codes
from gbdist.estimators.setup import check_range
from gbdist.models.ensemble import Ensemble
from gbdist.models.loss import written_loss
from gbdist.objectives import MULTI_TARGET
from gbdist.quantize.merge_surveys import DataSurvey

#: So many classes are named in an error.
_NAMED = 10


@dataclass(frozen=True, eq=False)
class LabelRules:
    """What a model takes labels for.

    Parameters
    ----------
    classes : tuple or None
        What the classes are called whose numbers labels become; None where labels are numbers.
    loss : str
        CatBoost's description of the loss.
    n_labels : int
        Labels of a row.
    class_weights : float64 [n_classes] or None
        What the weights of rows of each class are multiplied by, as in training.
    """

    classes: tuple[Any, ...] | None
    loss: str
    n_labels: int
    class_weights: NDArray[np.float64] | None

    @classmethod
    def of(cls, ensemble: Ensemble) -> "LabelRules":
        """The rules of a model whose loss is known (``passes.base.measure_of``)."""
        loss = written_loss(ensemble.options.get("loss_function")) or ""
        name = name_of(loss)
        n_labels = ensemble.dimension if name in MULTI_TARGET else 2 if name == "SurvivalAft" else 1
        classes = None if name in ("CrossEntropy", *MULTI_TARGET) else ensemble.class_names
        weights = ensemble.options.get("data_processing_options", {}).get("class_weights") or None
        if classes is None or weights is None or len(weights) != len(classes):
            return cls(classes, loss, n_labels, None)
        return cls(classes, loss, n_labels, np.asarray(weights, np.float64))

    def tables(self, surveys: Sequence[DataSurvey], names: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """What the label codes of each data set mean, float32 [n_codes], None where they mean themselves; all is checked.

        ``names`` are what errors call the data sets, the first of which passes look at.

        Raises
        ------
        DataError
            For no labels, or another number of them than the model has, labels that the model does not know or its loss does
            not take, and rows of a single class.
        """
        for survey, name in zip(surveys, names, strict=True):
            self._check_number(survey, _where(name))
        if self.classes is None:
            check_range(surveys, names, self.loss)
            return [numbers_of_codes(survey, _where(name)) for survey, name in zip(surveys, names, strict=True)]
        for number, (survey, name) in enumerate(zip(surveys, names, strict=True)):
            # What is dealt by chance may have one class, what somebody gives may not.
            self._check_classes(survey, _where(name), given=number == 0 or bool(name))
        return [
            codes_for_classes(survey, self.classes, _where(name)) for survey, name in zip(surveys, names, strict=True)
        ]

    def _check_number(self, survey: DataSurvey, where: str) -> None:
        if len(survey.targets) != self.n_labels:
            found = f"{len(survey.targets)} label(s) a row" if survey.targets else "no labels"
            expected = f"{self.n_labels}, as the model's loss {self.loss} has"
            raise DataError(where, found, expected, "Give y beside X, or the names of its columns.")

    def _check_classes(self, survey: DataSurvey, where: str, *, given: bool) -> None:
        classes = self.classes or ()
        found = None if survey.label is None else survey.label.values
        known = ", ".join(map(repr, classes[:_NAMED])) + (", …" if len(classes) > _NAMED else "")
        if found is None:
            raise DataError(
                where, "measured numbers", f"classes of the model: {known}", "Pass the labels of its classes."
            )
        for label in found:
            if label not in classes:
                fix = "Leave those rows out, or pass labels as the model was trained on."
                raise DataError(where, f"label {label!r}", f"one of the model's classes, {known}", fix)
        if given and len(found) == 1:
            fix = "Give rows of all classes: with one alone any model is as good as a constant."
            raise DataError(where, f"the single class {found[0]!r}", "rows of two classes at least", fix)


def _where(name: str) -> str:
    return f"{name}, y" if name else "y"

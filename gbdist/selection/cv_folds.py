"""The folds of ``cv`` as the user wrote them, in CatBoost's words: checked, and of what they are."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.folds import AnyFolds, FoldsByNumber, FoldsOfGroups, FoldsWanted
from gbdist.estimators.parameters.table import RANKER_LOSSES
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.selection.asked import folds_from, stratified_from
from gbdist.selection.checks import enough_rows, integer, true_or_false
from gbdist.selection.rules.contiguous import Windows, series_windows

#: Losses whose folds have the same shares of all classes unless they are told not to, as in CatBoost.
_STRATIFIED = ("Logloss", "MultiClass", "MultiClassOneVsAll")
_SERIES = "TimeSeries"
_KINDS = ("Classical", "Inverted", _SERIES)


@dataclass(frozen=True, slots=True)
class FoldsOfCv:
    """Arguments of ``cv``, where ``kind`` is ``type``; see there."""

    n_folds: Any
    seed: Any
    shuffle: Any
    stratified: Any
    inverted: Any
    kind: Any
    folds: Any = None
    groups: Any = None
    strict: Any = False

    def check(self) -> None:
        """Raise ParameterError for arguments that no data would make good."""
        for name, value in (("shuffle", self.shuffle), ("inverted", self.inverted), ("strict_borders", self.strict)):
            true_or_false(name, value)
        if self.kind not in _KINDS:
            raise ParameterError("type", self.kind, "'Classical', 'Inverted' or 'TimeSeries'", "Change it.")
        if self.stratified is not None:
            true_or_false("stratified", self.stratified)
        if self.n_folds is not None:
            integer("fold_count", self.n_folds, 2)
        integer("partition_random_seed", self.seed, 0)
        if self.folds is not None:
            kind = None if self.kind == "Classical" else self.kind
            _refuse("folds", fold_count=self.n_folds, type=kind, stratified=self.stratified or None)
        elif self.groups is not None:
            fix = "Set folds=GroupKFold(3), for example, or leave it out."
            raise ParameterError("groups", "a value", "None without folds that look at groups", fix)
        elif self.kind == _SERIES:
            _refuse("type='TimeSeries'", inverted=self.inverted or None, stratified=self.stratified or None)

    def of_data(
        self, data: Given, loss: str, *, classifier: bool, client: Any, order: tuple[object, ...] | None
    ) -> tuple[AnyFolds, Given]:
        """The folds, and the data with what these need beside them; ``order`` is that of classes, if it is given.

        Raises ParameterError, DataError.
        """
        inverted = self.inverted or self.kind == "Inverted"
        if self.folds is not None:
            how = {"groups": self.groups, "inverted": inverted, "strict": self.strict, "client": client}
            return folds_from(self.folds, data, classifier=classifier, name="folds", **how)
        n_folds = 3 if self.n_folds is None else int(self.n_folds)
        dealt = int(self.seed) if self.shuffle else None
        if loss in RANKER_LOSSES:
            kind = self.kind if self.kind == _SERIES else None
            _refuse(f"loss_function={loss!r}", type=kind, stratified=self.stratified or None)
            return FoldsOfGroups(n_folds, dealt, inverted), data
        if self.kind == _SERIES:
            return FoldsByNumber(n_folds, partial(_series, n_folds)), data
        stratified = loss in _STRATIFIED if self.stratified is None else self.stratified
        if stratified and self.strict:
            return stratified_from(n_folds, dealt, data, order, inverted=inverted, client=client)
        return FoldsWanted(n_folds, dealt, stratified, inverted), data


def _series(n_folds: int, n_rows: int) -> Windows:
    """See ``series_windows``; DataError for fewer rows than parts."""
    enough_rows(n_rows, n_folds + 1)
    return series_windows(n_folds, n_rows)


def _refuse(beside: str, **given: Any) -> None:
    """ParameterError for the first that is there."""
    for name, value in given.items():
        if value is not None:
            raise ParameterError(name, value, f"it to be left out beside {beside}", "Leave one of them out.")


def check_groups(data: Given, loss: str, *, ranker: bool) -> None:
    """DataError for groups that are missing, or that a loss would not look at."""
    if not ranker:
        for name, value in (("group_id", data.group_id), ("group_weight", data.group_weight), ("pairs", data.pairs)):
            if value is not None:
                fix = "Leave it out. Folds of whole groups are folds=GroupKFold(3), with groups=."
                raise DataError(name, "a value", f"None with loss_function={loss!r}, which does not rank", fix)
    elif isinstance(data.X, DaskPool):
        raise DataError(
            "pool", "a DaskPool, which keeps no groups", "the rows themselves", "Pass cv((X, y), params, …)."
        )
    elif data.group_id is None:
        fix = "Pass group_id=, one value a row or the name of a column of X."
        raise DataError("group_id", "None", f"which rows are ranked together, for loss_function={loss!r}", fix)
    elif data.pairs is not None and loss != "PairLogit":
        fix = 'Set loss_function="PairLogit", or leave pairs out.'
        raise DataError("pairs", "a value", f"None with loss_function={loss!r}", fix)

"""Jobs that deal rows to folds: which folds, as options say them, and which splitter that is."""

from dataclasses import dataclass
from typing import Any

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import RANKER_LOSSES
from gbdist.jobs.learning import LearningJob
from gbdist.jobs.targets import Task, loss_of
from gbdist.selection.checks import integer

#: Losses of single classes, whose folds have the same shares of all of them unless a job says otherwise, as in CatBoost's ``cv``.
_OF_CLASSES = ("Logloss", "MultiClass", "MultiClassOneVsAll")
_LOSSES = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE", "ranking": "YetiRank"}


@dataclass(frozen=True, slots=True)
class FoldedJob(LearningJob):
    """A job on rows that are dealt to ``folds`` folds.

    ``group`` is a column of groups, which folds keep whole; rows are ranked in them where the task or the loss says so.
    ``stratified`` keeps shares of classes, None: where there are classes. ``shuffle`` deals rows by hash (None is True), else
    folds are neighbouring rows. ``time_series`` trains on the rows before those that are scored; so does ``time``, a column,
    no feature, by which rows must be in order. ``seed`` is that of the folds, None is 0.
    """

    folds: int = 5
    stratified: bool | None = None
    shuffle: bool | None = None
    time_series: bool = False
    time: str | None = None
    seed: int | None = None

    @property
    def ranks(self) -> bool:
        """Whether rows are ranked within their groups."""
        return self.task == "ranking" or loss_of(self.params) in RANKER_LOSSES

    @property
    def follows_time(self) -> bool:
        """Whether folds train on the rows before those that are scored."""
        return self.time_series or self.time is not None

    def beside(self) -> dict[str, str]:
        """See ``LearningJob``."""
        return LearningJob.beside(self) | ({} if self.time is None else {self.time: "the time"})

    def check_folds(self) -> None:
        """Raise a ParameterError for no folds, folds that exclude each other, or a ranking without groups."""
        integer("--folds", self.folds, 2)
        if self.seed is not None:
            integer("--seed", self.seed, 0)
        if self.ranks and self.group is None:
            named = ("--task", "ranking") if self.task == "ranking" else ("loss_function", loss_of(self.params))
            raise ParameterError(*named, "a column of groups beside it", "Say which rows are ranked: --group COL.")
        if self.ranks and self.stratified:
            raise ParameterError("--stratified", True, "classes, and rows are ranked", "Leave it out.")
        others = [("--group", self.group), ("--stratified", self.stratified), ("--shuffle", self.shuffle)]
        if self.time is not None and self.time in {*self.targets, self.weight}:
            fix = "Name another column, or leave it out: --time-series takes rows as they come."
            raise ParameterError("--time", self.time, "a column that is neither the target nor the weight", fix)
        for name, value in others:
            if self.follows_time and value:
                fix = f"Leave out {name} or {'--time-series' if self.time is None else '--time'}."
                raise ParameterError(name, value, "it to be left out where folds follow time", fix)

    def keeps_shares(self, loss: str) -> bool:
        """Whether folds have the same shares of all classes."""
        if self.follows_time or self.ranks:
            return False
        return loss in _OF_CLASSES if self.stratified is None else self.stratified

    def rows_and_groups(self, table: Any) -> tuple[Any, Any]:
        """X and the groups of its rows, which are no feature; None without, a column's name where rows are ranked in them."""
        if self.time is not None:
            table = table.drop(columns=[self.time])
        if self.group is None or self.ranks:
            return table, self.group
        return table.drop(columns=[self.group]), table[self.group]

    def check_order(self, table: Any, client: Any) -> None:
        """Raise a DataError that names the first row whose ``time`` is before that of the row above; reads that column."""
        if self.time is None:
            return
        from gbdist.selection import TimeSeriesSplit

        with client.as_current():
            TimeSeriesSplit(self.folds, time=self.time).split(table[[self.time]])

    def splitter(self, loss: str) -> Any:
        """The splitter of ``gbdist.selection`` that deals the rows, for a loss."""
        from gbdist.selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

        if self.follows_time:
            return TimeSeriesSplit(self.folds)
        shuffle = self.shuffle is not False
        if self.group is not None:
            kind: type = StratifiedGroupKFold if self.keeps_shares(loss) else GroupKFold
        else:
            kind = StratifiedKFold if self.keeps_shares(loss) else KFold
        return kind(self.folds, shuffle=shuffle, random_state=self.seed if shuffle else None)


def with_loss(task: Task, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with a loss: what they say, else that of the task."""
    return params if loss_of(params) else {**params, "loss_function": _LOSSES[task]}

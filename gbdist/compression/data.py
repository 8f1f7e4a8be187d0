"""Data for a compression: rows, binned where they are by the model's own borders, in parts that do not know each other."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import catboost
import numpy as np
from distributed import Client
from numpy.typing import NDArray

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import Event
from gbdist.compression.facts import LabelRules
from gbdist.compression.gang import CompressionGang, Subject, room_of, work_rank
from gbdist.compression.parts import about_parts, sources_of_parts
from gbdist.compression.passes.base import PassData, measure_of
from gbdist.compression.passes.columns import columns_of, rows_on_columns
from gbdist.compression.passes.sizes import is_number
from gbdist.compression.shares import Part, Shares
from gbdist.compression.work import Course, Work
from gbdist.counted import PASSES
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.clusters import has_client, ready_workers, resolve_client
from gbdist.estimators.local_run import LocalSet, shard_here, survey_here, threads_for, trains_here
from gbdist.estimators.placing import choice, require_room_to_send
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.pipeline import Source, quantize_sets
from gbdist.estimators.preparation.quantized import SetLayout
from gbdist.estimators.preparation.regroup import settled
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.run_gang import Audience
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.missing import cat_nan_of
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import bins_type
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist_cluster.monitor.reporting import UNREPORTED, reported

Result = TypeVar("Result")
Hear = Callable[[Event], bool | None]


@dataclass(frozen=True, slots=True)
class ModelBorders:
    """The borders of a model's columns, by the columns' names in the data; see ``quantize.cells.CellRules``."""

    of_column: Mapping[str, FeatureBorders]

    @property
    def cells(self) -> np.dtype[Any]:
        """Type of the bins."""
        return bins_type(max((len(each.values) for each in self.of_column.values()), default=0))

    def choose(self, values: NDArray[np.float32], has_nan: bool, name: str) -> FeatureBorders:
        """The model's own, whatever the data."""
        return self.of_column[name]


class CompressionData(ABC):
    """Rows of a data set on which a model is compressed; ``compression_data`` makes them.

    Parameters
    ----------
    ensemble : Ensemble
        The model that is compressed: rows lie in the bins of its features, so work must be about ensembles of the same ones.
    seed : int
        Of the parts, and of all else that is random.
    """

    def __init__(self, ensemble: Ensemble, seed: int) -> None:
        self.ensemble = ensemble
        self.measure = measure_of(ensemble)
        self._rules = LabelRules.of(ensemble)
        self._subject = Subject(replace(ensemble, trees=()), self.measure, seed)
        self._rows: dict[Part, int] = {}

    @property
    def rows(self) -> Mapping[Part, int]:
        """Rows of each part that there is."""
        return dict(self._rows)

    @property
    @abstractmethod
    def ranks(self) -> int:
        """How many ranks work on them."""

    @abstractmethod
    def ask(self, work: Work[Result], listener: Hear | None = None) -> Result:
        """Have all ranks do some work on a part of the rows, and return its answer; ``listener`` hears its events in this thread.

        Raises
        ------
        DataError
            Where the part has no rows.
        ClusterError
            Where no worker is left, or a run that loses workers cannot go on; the data stay as they are.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of all that was made here."""

    def _require(self, part: Part) -> None:
        if part not in self._rows:
            fix = "Give it a share of the rows, or a data set of its own."
            raise DataError(f"rows of the part {part!r}", "none", "some", fix)

    def _take(self, names: Sequence[str], parts: Sequence[Part], surveys: Sequence[DataSurvey]) -> list[Any]:
        """Check the facts of all parts; what their label codes mean."""
        tables = self._rules.tables(surveys, names)
        self._rows = {part: survey.n_rows for part, survey in zip(parts, surveys, strict=True)}
        return tables


class DataHere(CompressionData):
    """In this process."""

    def __init__(self, ensemble: Ensemble, seed: int, parts: Sequence[Part], sources: Sequence[Source]) -> None:
        super().__init__(ensemble, seed)
        sets = survey_here(sources)
        names = [source.name for source in sources]
        tables = self._take(names, parts, [data.survey for data in sets])
        self._data = {part: self._part(data, table) for part, data, table in zip(parts, sets, tables, strict=True)}

    def _part(self, data: LocalSet, label_of_code: NDArray[np.float32] | None) -> PassData:
        shard, row = shard_here(data, self.ensemble.borders)
        rows = SetLayout((1,), row, label_of_code, self._rules.class_weights).rows_of([shard])
        rows = rows_on_columns(self.ensemble, rows)
        columns, subject = columns_of(self.ensemble), self._subject
        return PassData(rows, columns, SingleRank(), self.measure, subject.seed, threads_for(rows))

    @property
    def ranks(self) -> int:
        """See ``CompressionData``."""
        return 1

    def ask(self, work: Work[Result], listener: Hear | None = None) -> Result:
        """See ``CompressionData``."""
        self._require(work.part)
        return work.on_rank(self._data[work.part], Course.here(listener))

    def close(self) -> None:
        """See ``CompressionData``."""
        self._data = {}


class DataOnGang(CompressionData):
    """On the workers of a cluster."""

    def __init__(
        self,
        ensemble: Ensemble,
        seed: int,
        parts: Sequence[Part],
        sources: Sequence[Source],
        client: Client,
    ) -> None:
        super().__init__(ensemble, seed)
        self._client, self._parts = client, tuple(parts)
        self._scope = FutureScope()
        workers = ready_workers(client)
        rules = _borders_by_name(ensemble, sources[0].parts)
        room = room_of(self._subject)
        require_room_to_send(sources[0].parts, workers, False, may_be_on_disk=False, cells=rules.cells, run=room)
        names = [source.name for source in sources]
        tables: list[Any] = []

        def check(surveys: Sequence[DataSurvey]) -> None:
            tables[:] = self._take(names, parts, surveys)

        self._made = quantize_sets(
            client,
            sources,
            [worker.address for worker in workers],
            rules,
            check=check,
            choose=choice(False, lambda n_features: room, rules.cells, may_be_on_disk=False),
        )
        self._tables, self._sets = tables, list(self._made)

    @property
    def ranks(self) -> int:
        """See ``CompressionData``."""
        return len(self._sets[0].members)

    def ask(self, work: Work[Result], listener: Hear | None = None) -> Result:
        """See ``CompressionData``."""
        self._require(work.part)
        # A gang that loses workers levels rows for itself alone.
        self._sets = settled(self._client, self._sets, ready_workers(self._client), self._scope)
        number = self._parts.index(work.part)
        with reported(self._client, "compression") if work.count else nullcontext(UNREPORTED) as report:
            report.about("compression", self._rows[work.part], len(self.ensemble.feature_names), work.count, PASSES)
            gang = CompressionGang(
                self._client,
                self._sets[number],
                self._tables[number],
                self._rules.class_weights,
                self._subject,
                work,
                Audience(listener, False, report=report),
            )
            found: Result = gang.run(work_rank)
        return found

    def close(self) -> None:
        """See ``CompressionData``."""
        self._scope.drop(self._scope.held)
        for data in self._made:
            data.release()
        self._made, self._sets = [], []


@contextmanager
def compression_data(
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    model: catboost.CatBoost | Ensemble,
    holdout: Sequence[Any] | None = None,
    shares: Shares | None = None,
    seed: int = 0,
    client: Any = None,
    cat_nan: str | None = None,
) -> Iterator[CompressionData]:
    """Rows for compressing a model, in this process or on a cluster.

    Rows of collections stay on the workers, which bin each raw partition once. Rows in memory stay in this process where they are
    as few as ``fit`` trains on here, and without a client, given or current, whatever they are; the others are sent.

    Parameters
    ----------
    X, y, sample_weight : as of ``fit``, in memory or Dask collections
        X has the model's features in their order; y and sample_weight may name columns of it.
    model : CatBoost model or Ensemble
        Of a loss that is known here (``passes.base.measure_of``).
    holdout : (X, y) or (X, y, sample_weight), or None
        Rows that the model was not trained on: one half of them is the part "holdout", the other half the part "choice", and X is
        for passes alone. Of rows that it was trained on the loss is too good to choose by.
    shares : Shares or None
        Of X; the defaults of ``Shares`` for None. With a holdout it only says whether there is a choice: a share of 0 for none.
    seed : int
    client : Client, address or None
        None for the current one, and for a collection where there is none a local cluster's.
    cat_nan : str or None
        The text that stands for missing values in categorical columns; None: what the model itself says, if anything.

    Raises
    ------
    DataError, ModelError, ParameterError, ClusterError
        Nothing is left on the cluster.
    """
    if not is_number(seed, int):
        raise ParameterError("seed", seed, "a whole number", "Leave it out for 0.")
    ensemble = model if isinstance(model, Ensemble) else from_catboost(model)
    if cat_nan is None and not isinstance(model, Ensemble):
        cat_nan = cat_nan_of(model)
    parts, sources = sources_of_parts(ensemble, cat_nan, (X, y, sample_weight), holdout, shares or Shares(), seed)
    data: CompressionData
    try:
        if _stays_here(sources, client):
            data = DataHere(ensemble, seed, parts, sources)
        else:
            data = DataOnGang(ensemble, seed, parts, sources, resolve_client(client))
    except DataError as error:
        raise about_parts(error, parts) from None
    try:
        yield data
    finally:
        data.close()


def _stays_here(sources: Sequence[Source], client: Any) -> bool:
    """Whether all rows are in memory, and few, or there is no cluster yet: bins are a quarter of what is there already."""
    in_memory = not any(source.parts.lazy for source in sources)
    return trains_here(sources) or (in_memory and client is None and not has_client())


def _borders_by_name(ensemble: Ensemble, parts: Parts) -> ModelBorders:
    names = [parts.feature_names[place] for place in ensemble.binned]
    return ModelBorders(dict(zip(names, ensemble.borders, strict=True)))

"""``DaskPool``: a data set that is quantized once on the cluster and used by many fits."""

from dataclasses import replace
from types import TracebackType
from typing import Any

from distributed import Client, Future

from gbdist.errors import DataError
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.parameters.canonical import QuantizeParams, canonical, quantize_params
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.pipeline import Known, Source, quantize_sets
from gbdist.estimators.preparation.pool_files import load_pool, save_pool
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.tables import KINDS
from gbdist.quantize.borders import FeatureBorders


class DaskPool:
    """Quantized rows on the workers of a Dask cluster: one byte a cell (two above 255 borders), no raw values.

    Parameters
    ----------
    X : Dask DataFrame or Array, or in memory: pandas, polars, NumPy, PyArrow table, scipy sparse
    y, sample_weight : matching vector, or name of a column of X; optional
    baseline : raw predictions to start from, one column for each raw value; optional
    client : a Dask client or address; default: the current one, else a local cluster
    border_count, feature_border_type, nan_mode : CatBoost's parameters, with CatBoost's defaults
    borders_of : a pool whose borders (and workers) this one is to have, as an eval set must; then leave the three out

    Use it as ``fit(pool)``, as ``eval_set=pool``, and in a ``with`` block or with ``close()`` to free the workers' memory.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        baseline: Any = None,
        client: Client | str | None = None,
        border_count: int | None = None,
        feature_border_type: str | None = None,
        nan_mode: str | None = None,
        borders_of: "DaskPool | None" = None,
    ) -> None:
        if isinstance(X, DaskPool):
            raise DataError("X", "a DaskPool", KINDS.replace(", a DaskPool", ""), "It is quantized already; use it.")
        parts = collect(X, y, sample_weight, baseline)
        given = {"border_count": border_count, "feature_border_type": feature_border_type, "nan_mode": nan_mode}
        rules: QuantizeParams | Known
        if borders_of is None:
            rules = quantize_params(canonical(given, classifier=False))
        else:
            _refuse_rules(given)
            client = borders_of.client if client is None else client
            rules = borders_of.known
        self._client = resolve_client(client)
        workers = [worker.address for worker in ready_workers(self._client)]
        self._data: QuantizedSet | None = quantize_sets(self._client, [Source(parts)], workers, rules)[0]
        self._names = parts.feature_names

    @property
    def client(self) -> Client:
        """The client of the cluster that holds the pool."""
        return self._client

    @property
    def data(self) -> QuantizedSet:
        """Where the shards are, for the trainer; DataError after ``close``."""
        if self._data is None:
            raise DataError("DaskPool", "a closed pool", "an open one", "Make the pool anew, or close it later.")
        return self._data

    def settle(self) -> None:
        """Give the shards of workers that have left to newcomers, or to those that are left; Dask moves or makes them."""
        present = [worker.address for worker in ready_workers(self._client)]
        data = self.data
        newcomers = [address for address in present if address not in data.members]
        heirs = [address if address in present else newcomers.pop(0) if newcomers else None for address in data.members]
        shards: dict[str, list[Future]] = {address: [] for address in heirs if address is not None}
        members = tuple(shards)
        for number, (heir, futures) in enumerate(zip(heirs, data.shards, strict=True)):
            shards[heir or members[number % len(members)]] += futures
        self._data = replace(data, members=members, shards=tuple(tuple(futures) for futures in shards.values()))

    @property
    def known(self) -> Known:
        """What another data set needs to be quantized alike."""
        return Known(self.data.members, self.data.borders, self.data.survey)

    @property
    def n_rows(self) -> int:
        """Rows on all workers."""
        return self.data.survey.n_rows

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.data.borders)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features)."""
        return self.n_rows, self.n_features

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return self._names

    @property
    def borders(self) -> tuple[FeatureBorders, ...]:
        """Borders of each feature."""
        return self.data.borders

    @property
    def nbytes(self) -> int:
        """Bytes that the pool takes on all workers."""
        return self.data.nbytes

    def save(self, path: str) -> None:
        """Write the pool to a folder (anything that fsspec can write to), each shard by the worker that holds it."""
        save_pool(self._client, self.data, self._names, path)

    @classmethod
    def load(cls, path: str, client: Client | str | None = None) -> "DaskPool":
        """Read a pool that ``save`` wrote, onto any number of workers."""
        pool = cls.__new__(cls)
        pool._client = resolve_client(client)
        workers = [worker.address for worker in ready_workers(pool._client)]
        pool._data, pool._names = load_pool(pool._client, workers, path)
        return pool

    def close(self) -> None:
        """Free the workers' memory; a second call does nothing."""
        if self._data is not None:
            self._data.release()
            self._data = None

    def __enter__(self) -> "DaskPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._data is None:
            return "<DaskPool, closed>"
        n_rows, n_features = self.shape
        return f"<DaskPool of {n_rows:,} rows × {n_features} features on {len(self.data.members)} worker(s)>"


def _refuse_rules(given: dict[str, Any]) -> None:
    named = [name for name, value in given.items() if value is not None]
    if named:
        from gbdist.errors import ParameterError

        raise ParameterError(
            named[0], given[named[0]], "it to be left out beside borders_of", "The other pool's borders are used."
        )

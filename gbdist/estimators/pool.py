"""``DaskPool``: a data set that is quantized once on the cluster and used by many fits."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from distributed import Client

from gbdist.errors import DataError
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.columns import ColumnRules, Columns, unbinned_of, with_columns_of
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.check import checked_bins_on_disk, checked_cat_nan
from gbdist.estimators.parameters.cuts import QuantizeParams, quantize_params
from gbdist.estimators.placing import any_run, choice, no_run
from gbdist.estimators.preparation.copies import copied_to
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.pipeline import Known, Source, quantize_sets
from gbdist.estimators.preparation.pool_files import load_pool, save_pool
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.regroup import regroup
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.stored import futures_of
from gbdist.estimators.preparation.tables import KINDS
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.unbinned import HASHED
from gbdist_cluster.errors import WorkersGone


class DaskPool:
    """Quantized rows on the workers of a Dask cluster: one byte a cell (two above 255 borders), no raw values.

    Of categorical columns it keeps CatBoost's hashes, 4 bytes a cell.

    Parameters
    ----------
    X : Dask DataFrame or Array, or in memory: pandas, polars, NumPy, PyArrow table, scipy sparse
    y, sample_weight : matching vector, or name of a column of X; optional
    baseline : raw predictions to start from, one column for each raw value; optional
    fold : the number of each row that folds go by, as cross-validation has it for splitters that look at values; not saved
    cat_features : names or positions of categorical columns, of which hashes are kept, 4 bytes a cell
        Left out: the columns of categories and of strings, by their types.
    cat_nan : the text that stands for missing values in categorical columns; left out: there may be none
    bins_on_disk : "auto", True or False
        Whether bins lie on the workers' disks rather than in their memory; "auto": where they do not fit, with a warning. Fits on
        the pool read them there.
    client : a Dask client or address; default: the current one, else a local cluster
    border_count, feature_border_type, nan_mode, per_float_feature_quantization, input_borders : CatBoost's parameters, with
        CatBoost's defaults
    borders_of : a pool whose borders, workers and categorical columns this one is to have, as an eval set must
        Then leave out those above.

    Use it as ``fit(pool)``, as ``eval_set=pool``, and in a ``with`` block or with ``close()`` to free the workers' memory.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        baseline: Any = None,
        fold: Any = None,
        cat_features: Any = None,
        cat_nan: str | None = None,
        bins_on_disk: bool | str = "auto",
        client: Client | str | None = None,
        border_count: int | None = None,
        feature_border_type: str | None = None,
        nan_mode: str | None = None,
        per_float_feature_quantization: Any = None,
        input_borders: str | Path | None = None,
        borders_of: "DaskPool | None" = None,
    ) -> None:
        if isinstance(X, DaskPool):
            raise DataError("X", "a DaskPool", KINDS.replace(", a DaskPool", ""), "It is quantized already; use it.")
        parts = collect(X, y, sample_weight, baseline, fold=fold)
        given = {
            "border_count": border_count,
            "feature_border_type": feature_border_type,
            "nan_mode": nan_mode,
            "per_float_feature_quantization": per_float_feature_quantization,
            "input_borders": input_borders,
        }
        checked = canonical({**given, "cat_features": cat_features}, classifier=False)
        on_disk = checked_bins_on_disk(bins_on_disk)
        columns = ColumnRules(checked, cat_nan=checked_cat_nan(cat_nan))
        rules: QuantizeParams | Known
        if borders_of is None:
            parts = replace(parts, unbinned=unbinned_of(parts, columns), cat_nan=cat_nan)
            rules = quantize_params(checked, parts.feature_names, [position for position, _ in parts.unbinned])
        else:
            _refuse_rules(given)
            borders_of.columns.require_named(columns, "the other pool")
            parts = with_columns_of(borders_of.columns, parts, cat_nan, "X")
            client = borders_of.client if client is None else client
            rules = borders_of.known
        self._client = resolve_client(client)
        workers = [worker.address for worker in ready_workers(self._client)]
        if isinstance(rules, QuantizeParams):
            choose = choice(on_disk, any_run, rules.cells)
        else:
            choose = choice(rules.on_disk if on_disk is None else on_disk, no_run, rules.cells)
        (data,) = quantize_sets(self._client, [Source(parts)], workers, rules, on_disk=on_disk, choose=choose)
        self._data: QuantizedSet | None = data.without_source()
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

    def copied_to(self, worker: str) -> "DaskPool":
        """The same rows once more, all of them on one worker. Fits on the copy use that worker alone, and end with it."""
        copy = DaskPool.__new__(DaskPool)
        copy._client, copy._names = self._client, self._names
        copy._data = copied_to(self._client, self.data, worker)
        return copy

    def settle(self) -> None:
        """Level the shards over the workers that there are now, if any that held some has left; Dask moves or makes them.

        WorkersGone for a copy on a worker that has left.
        """
        present = [worker.address for worker in ready_workers(self._client)]
        if set(self.data.members) <= set(present):
            return
        if self.data.stays:
            raise WorkersGone(
                f"Worker {self.data.members[0]} with this copy of the rows has left", "Make another copy."
            )
        with FutureScope() as scope:
            (self._data,) = regroup(self._client, [self.data], present, scope)
            scope.keep(futures_of(self._data.shards))

    @property
    def known(self) -> Known:
        """What another data set needs to be quantized alike."""
        return Known(self.data.members, self.data.borders, self.data.survey, self.data.on_disk)

    @property
    def n_rows(self) -> int:
        """Rows on all workers."""
        return self.data.survey.n_rows

    @property
    def n_features(self) -> int:
        """Number of features, categorical ones included."""
        return len(self._names)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features)."""
        return self.n_rows, self.n_features

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return self._names

    @property
    def cat_features(self) -> list[int]:
        """Positions of the categorical columns."""
        return list(self.data.survey.hashed)

    @property
    def columns(self) -> Columns:
        """What the columns of an eval set must be."""
        unbinned = tuple((position, HASHED) for position in self.cat_features)
        return Columns(self._names, self.data.survey.named, unbinned)

    @property
    def borders(self) -> tuple[FeatureBorders, ...]:
        """Borders of each feature that is not categorical."""
        return self.data.borders

    @property
    def nbytes(self) -> int:
        """Bytes that the pool takes on all workers, in memory or on disk."""
        return self.data.nbytes

    def save(self, path: str) -> None:
        """Write the pool to a folder (anything that fsspec can write to), each shard by the worker that holds it."""
        save_pool(self._client, self.data, self._names, path)

    @classmethod
    def load(cls, path: str, client: Client | str | None = None, *, bins_on_disk: bool | str = "auto") -> "DaskPool":
        """Read a pool that ``save`` wrote, onto any number of workers."""
        on_disk = checked_bins_on_disk(bins_on_disk)
        pool = cls.__new__(cls)
        pool._client = resolve_client(client)
        workers = ready_workers(pool._client)
        pool._data, pool._names = load_pool(pool._client, workers, path, partial(choice, on_disk, any_run))
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

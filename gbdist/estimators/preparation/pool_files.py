"""A pool on disk: a folder with one NumPy archive a shard, and a header in JSON that is written last.

Anything that fsspec opens will do, as long as client and workers reach it. Nothing is pickled.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import fsspec  # type: ignore[import-untyped]
import numpy as np
from distributed import Client

from gbdist.errors import DataError
from gbdist.estimators.preparation.futures import names, wait_for
from gbdist.estimators.preparation.pipeline import Choice
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape, Shard, Shards, arena_of
from gbdist.estimators.preparation.stored import Stored, futures_of
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import cells_type
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.survey import BaselineFacts, IntervalFacts, LabelFacts, WeightFacts
from gbdist.quantize.unbinned import UnbinnedFacts
from gbdist_cluster.placement import Piece, place
from gbdist_cluster.shards import ShardHandle, keep
from gbdist_cluster.versions import WorkerFacts

#: Raise it whenever files of the former version are read differently, and keep reading the former ones. Since version 2 there are
#: categorical columns: their facts in the survey, their hashes in the shards. Since version 3 a row may have several labels.
FORMAT_VERSION = 3
_READ_VERSIONS = (1, 2, 3)
_FORMAT = "gbdist-pool"
_HEADER = "pool.json"


def save_pool(client: Client, data: QuantizedSet, feature_names: tuple[str, ...], path: str) -> None:
    """Write a quantized set into the folder ``path``; a pool that is there already is replaced."""
    path = str(path).rstrip("/")
    files, root = fsspec.core.url_to_fs(path)
    files.makedirs(root, exist_ok=True)
    former = _shards_named_in(files, f"{root}/{_HEADER}")
    token = uuid.uuid4().hex[:8]
    futures = futures_of(data.shards)
    targets = [f"shard-{token}-{number:05d}" for number in range(len(futures))]
    with FutureScope() as scope:
        written = scope.hold(client.map(write_shards, futures, targets, path=path, **names("save")))
        wait_for(written)
        shards = [shard for batch in client.gather(written) for shard in batch]
    header = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "feature_names": list(feature_names),
        "borders": [{"values": each.values.tolist(), "nan_treatment": each.nan_treatment} for each in data.borders],
        "survey": _facts_kept(data.survey),
        "dimension": data.dimension,
        "shards": sorted(shards, key=lambda shard: int(shard["first_row"])),
    }
    with files.open(f"{root}/{_HEADER}", "w") as file:
        json.dump(header, file)
    for name in former:
        files.rm_file(f"{root}/{name}")


def _facts_kept(survey: DataSurvey) -> dict[str, Any]:
    """What a file says of the rows, which lose what folds go by: those are of one splitter."""
    facts = asdict(survey)
    del facts["folded"]
    return facts


def _shards_named_in(files: Any, header: str) -> list[str]:
    if not files.exists(header):
        return []
    with files.open(header) as file:
        return [shard["file"] for shard in json.load(file).get("shards", [])]


def write_shards(handle: ShardHandle, prefix: str, path: str) -> list[dict[str, Any]]:
    """Write each shard of a task's to a file (a task on the worker that holds them); say which rows are where."""
    return [_write_shard(shard, f"{prefix}-{number}.npz", path) for number, shard in enumerate(handle.shard)]


def _write_shard(shard: Shard, name: str, path: str) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "bins": shard.cells,
        "label": shard.label,
        "weight": shard.weight,
        "baseline": shard.baseline,
        "hashes": shard.hashes if shard.hashes.shape[0] else None,
    }
    with fsspec.open(f"{path}/{name}", "wb") as file:
        np.savez(file, **{key: part for key, part in parts.items() if part is not None})
    return {"file": name, "first_row": shard.first_row, "n_rows": shard.n_rows}


def load_pool(
    client: Client, workers: Sequence[WorkerFacts], path: str, chooser: Callable[[np.dtype[Any]], Choice]
) -> tuple[QuantizedSet, tuple[str, ...]]:
    """Read a pool onto these workers; returns the set and the names of its features.

    ``chooser`` says, for the type of the bins, who decides whether these go to disk.
    """
    path = str(path).rstrip("/")
    header = _read_header(path)
    borders = tuple(
        FeatureBorders(np.array(each["values"], dtype=np.float32), each["nan_treatment"]) for each in header["borders"]
    )
    survey = _survey(header["survey"])
    shards = header["shards"]
    placement = place([shard["n_rows"] for shard in shards], [None] * len(shards), [one.address for one in workers])
    row = RowShape.of(survey, header["dimension"], cells_type(borders))
    on_disk = chooser(row.dtype)([(survey, placement, row.dimension)], workers)
    token = uuid.uuid4().hex[:12]
    by_rank = []
    with FutureScope() as scope:
        for rank, address in enumerate(placement.members):
            arena = ArenaSpec(
                key=f"{token}-{rank}",
                n_rows=placement.rows_of(rank),
                row=row,
                on_disk=on_disk,
            )
            pieces = placement.pieces_of(rank)
            columns = np.cumsum([0, *(piece.rows for piece in pieces)])[:-1].tolist()
            futures = client.map(
                read_shard,
                [f"{path}/{shards[piece.partition]['file']}" for piece in pieces],
                pieces,
                columns,
                arena=arena,
                workers=[address],
                allow_other_workers=True,
                **names("load"),
            )
            loaded = zip(scope.hold(futures), pieces, strict=True)
            by_rank.append(
                tuple(
                    Stored(future, ((piece.first_row, piece.first_row + piece.rows),), ()) for future, piece in loaded
                )
            )
        every = futures_of(by_rank)
        wait_for(every)
        scope.keep(every)
    data = QuantizedSet(placement.members, tuple(by_rank), borders, survey, header["dimension"], on_disk)
    return data, tuple(header["feature_names"])


def read_shard(file_name: str, piece: Piece, column: int, arena: ArenaSpec) -> ShardHandle:
    """Read some rows of a saved shard into the arena of their rank (a task)."""
    shard = Shard(arena_of(arena), column, piece.rows, piece.first_row)
    rows = slice(piece.start, piece.stop)
    with fsspec.open(file_name, "rb") as file, np.load(file, allow_pickle=False) as saved:
        shard.cells[...] = saved["bins"][:, rows]
        shard.label[...] = saved["label"][..., rows]
        if shard.weight is not None:
            shard.weight[...] = saved["weight"][rows]
        if shard.baseline is not None:
            shard.baseline[...] = saved["baseline"][:, rows]
        if shard.hashes.shape[0]:
            shard.hashes[...] = saved["hashes"][:, rows]
    return keep(Shards([shard]))


def _read_header(path: str) -> dict[str, Any]:
    try:
        with fsspec.open(f"{path}/{_HEADER}", "r") as file:
            header = json.load(file)
    except FileNotFoundError:
        raise DataError(path, f"no {_HEADER}", "a folder that DaskPool.save wrote", "Check the path.") from None
    except json.JSONDecodeError as error:
        raise DataError(
            path, f"a {_HEADER} that is not JSON ({error})", "a saved pool", "Save the pool anew."
        ) from None
    found = (header.get("format"), header.get("version")) if isinstance(header, dict) else (None, None)
    if found not in [(_FORMAT, version) for version in _READ_VERSIONS]:
        raise DataError(
            path,
            f"format {found[0]!r} version {found[1]!r}",
            f"{_FORMAT!r} version {' or '.join(map(str, _READ_VERSIONS))}",
            "Save the pool anew with this version of gbdist.",
        )
    checked: dict[str, Any] = header
    return checked


def _survey(saved: dict[str, Any]) -> DataSurvey:
    fields = _with_tuples(saved)
    if "label" in fields:  # of version 1 or 2, which kept only labels that are all there
        label = fields.pop("label")
        fields["targets"] = () if label is None else ({"n_infinite": label.pop("n_bad"), "n_missing": 0, **label},)
    fields["targets"] = tuple(LabelFacts(**_with_tuples(each)) for each in fields["targets"])
    for name, kind in (("weight", WeightFacts), ("baseline", BaselineFacts), ("intervals", IntervalFacts)):
        if fields.get(name) is not None:
            fields[name] = kind(**_with_tuples(fields[name]))
    fields["unbinned"] = tuple(UnbinnedFacts(**_with_tuples(each)) for each in fields.get("unbinned", ()))
    return DataSurvey(**fields)


def _with_tuples(saved: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists only; the records have tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}

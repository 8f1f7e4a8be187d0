"""Which files a job reads: a file, a folder or a pattern becomes a list in a fixed order, with the columns of each."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gbdist.errors import DataError

Format = Literal["parquet", "csv"]

_ENDINGS: dict[str, Format] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".csv.gz": "csv"}
_EXPECTED = "Parquet (.parquet, .pq) or CSV (.csv, .csv.gz) files"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file and how it is read."""

    path: str
    format: Format


def find_files(data: Sequence[str]) -> list[DataFile]:
    """Files behind names, folders and patterns.

    Arguments keep their order, because the order of rows is part of a model; what one folder or pattern yields is sorted,
    with numbers as numbers (``part.2`` before ``part.10``). Inside a folder files that begin with ``_`` or ``.`` are left out,
    as Spark and Dask do.

    Raises
    ------
    DataError
        Nothing there, an ending that is not known, or both formats at once.
    """
    found = [file for name in data for file in _files_of(name)]
    if not found:
        raise DataError("data", "no files named", f"at least one of {_EXPECTED}", "Name a file, a folder or a pattern.")
    formats = {file.format for file in found}
    if len(formats) > 1:
        raise DataError(", ".join(data), "both Parquet and CSV files", "one format", "Name the files of one format.")
    return found


def _files_of(name: str) -> list[DataFile]:
    if os.path.isfile(name):
        return [_data_file(name)]
    if os.path.isdir(name):
        inside = sorted((str(path) for path in Path(name).rglob("*") if _is_data(path, Path(name))), key=_natural)
        if not inside:
            raise DataError(name, "a folder without data files", _EXPECTED, "Name the folder that holds them.")
        return [_data_file(path) for path in inside]
    matched = sorted((path for path in glob.glob(name, recursive=True)), key=_natural) if glob.has_magic(name) else []
    if not matched:
        raise DataError(name, "no such file", f"{_EXPECTED}, a folder of them, or a pattern", _did_you_mean(name))
    return [file for path in matched for file in _files_of(path)]


def _is_data(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
    return not hidden and _format_of(path.name) is not None and path.is_file()


def _format_of(name: str) -> Format | None:
    return next((format_ for ending, format_ in _ENDINGS.items() if name.lower().endswith(ending)), None)


def _data_file(path: str) -> DataFile:
    format_ = _format_of(path)
    if format_ is None:
        raise DataError(path, f"the ending {Path(path).suffix!r}", _EXPECTED, "Convert the file, or rename it.")
    return DataFile(os.path.abspath(path), format_)


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key under which runs of digits count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def _did_you_mean(name: str) -> str:
    import difflib

    folder = Path(name).parent
    if not folder.is_dir():
        return f"The folder {str(folder)!r} does not exist either."
    near = difflib.get_close_matches(Path(name).name, [path.name for path in folder.iterdir()], n=1)
    return f"Did you mean {str(folder / near[0])!r}?" if near else f"List the folder with: ls {folder}"


def read_schema(file: DataFile) -> Any:
    """Columns of a file as a ``pyarrow.Schema``, without an index that pandas stored; reads the footer, or a CSV's first block.

    Raises
    ------
    DataError
        The file cannot be read as what its ending says, or repeats a column name.
    """
    import pyarrow as pa

    try:
        schema = _parquet_schema(file.path) if file.format == "parquet" else _csv_schema(file.path)
    except (pa.ArrowException, OSError) as error:
        expected = "a Parquet file" if file.format == "parquet" else "a CSV file with a header line"
        found = f"something that cannot be read ({_first_line(error)})"
        raise DataError(file.path, found, expected, "Check that it was written to its end, or leave it out.") from error
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise DataError(file.path, f"several columns called {repeated[0]!r}", "distinct names", "Rename one of them.")
    return schema


def _parquet_schema(path: str) -> Any:
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    stored = (schema.pandas_metadata or {}).get("index_columns", [])
    for name in stored:
        if isinstance(name, str) and name in schema.names:
            schema = schema.remove(schema.get_field_index(name))
    return schema


def _csv_schema(path: str) -> Any:
    from pyarrow import csv

    with csv.open_csv(path, read_options=csv.ReadOptions(use_threads=False, block_size=1 << 20)) as reader:
        return reader.schema


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

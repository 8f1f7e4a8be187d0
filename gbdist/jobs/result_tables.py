"""Tables that are results, such as curves and trials, in the format that the ending of their file says."""

import json
from pathlib import Path
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.whole_file import whole_file

#: Endings of files that a table can be written to.
ENDINGS: Final = (".csv", ".parquet", ".json")


def require_ending(path: Path | None) -> None:
    """Raise a ParameterError for a file whose ending names no format."""
    if path is not None and path.suffix not in ENDINGS:
        raise ParameterError("--out", str(path), f"a file that ends with {', '.join(ENDINGS)}", "Rename it.")


def write_table(table: Any, path: Path) -> None:
    """Write a DataFrame: CSV, Parquet, or JSON with an object a row. Columns of values of several kinds are texts."""
    with whole_file(path) as unfinished:
        match path.suffix:
            case ".csv":
                table.to_csv(unfinished, index=False)
            case ".parquet":
                _of_one_kind(table).to_parquet(unfinished, index=False)
            case _:
                table.to_json(unfinished, orient="records", double_precision=15)


def _of_one_kind(table: Any) -> Any:
    """The table, in whose columns of objects all values are of one kind: the others become texts, as JSON has them."""
    changed = {
        name: column.map(lambda value: value if value is None or isinstance(value, str) else json.dumps(value))
        for name, column in table.items()
        if column.dtype == object and len({type(value) for value in column if value is not None}) > 1
    }
    return table.assign(**changed)

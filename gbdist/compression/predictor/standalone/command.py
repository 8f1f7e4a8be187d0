"""``python model.pyz rows.csv``: predictions for the rows of a CSV file, as CSV."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TextIO

import numpy as np

from .errors import PredictorError
from .predictor import Predictor
from .reading import load_predictor

#: Rows that are read, predicted and written at a time.
_ROWS = 1 << 15


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, predict, and return an exit code: 2 for rows or files that will not do, 1 if nobody reads on."""
    parser = argparse.ArgumentParser(
        description="Predict for the rows of a CSV file whose first line names the columns. Empty cells are missing values."
    )
    parser.add_argument("rows", nargs="?", default="-", help="a CSV file; left out or -, what comes in by the pipe")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--proba", action="store_true", help="probabilities, in place of classes")
    what.add_argument("--raw", action="store_true", help="raw values: sums of leaf values")
    what.add_argument("--about", action="store_true", help="say what this model is, and predict nothing")
    options = parser.parse_args(arguments)
    try:
        model = load_predictor()
        if options.about:
            _tell(model)
        elif options.rows == "-":
            _predict(model, sys.stdin, options)
        else:
            with open(options.rows, newline="", encoding="utf-8-sig") as file:
                _predict(model, file, options)
        sys.stdout.flush()
    except BrokenPipeError:
        # As head does: nothing is wrong, and Python must not find out again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PredictorError, OSError, UnicodeDecodeError, csv.Error) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _tell(model: Predictor) -> None:
    lines = [str(model), f"features: {', '.join(model.feature_names)}"]
    if model.classes is not None:
        lines.append(f"classes: {', '.join(str(label) for label in model.classes)}")
    sys.stdout.write("\n".join(lines) + "\n")


def _predict(model: Predictor, file: TextIO, options: argparse.Namespace) -> None:
    reader = csv.reader(file)
    names = next(reader, None)
    if names is None:
        raise PredictorError("there are no rows, not even a line with the names of columns. Pass a CSV file.")
    repeated = [name for name in model.feature_names if names.count(name) > 1]
    if repeated:
        raise PredictorError(f"columns {repeated} are there more than once. Leave all but one of each out.")
    predict = model.predict_proba if options.proba else model.predict_raw if options.raw else model.predict
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, rows in enumerate(_blocks(reader)):
        found = predict(dict(zip(names, _columns(rows, names, model, 2 + number * _ROWS), strict=True)))
        if number == 0:
            writer.writerow(_header(model, found, options))
        writer.writerows(found.tolist() if found.ndim == 2 else [[value] for value in found.tolist()])


def _blocks(reader: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    """Rows by the block, one at least: of no rows the columns are looked at as well, and what would come is named."""
    rows = iter(reader)
    yield list(islice(rows, _ROWS))
    while block := list(islice(rows, _ROWS)):
        yield block


def _columns(rows: list[list[str]], names: list[str], model: Predictor, first: int) -> list[Any]:
    """Columns of a block of rows; those that are no features stay texts. ``first`` is the first row's number in the file."""
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise PredictorError(
                f"row {first + number} has {len(row)} cells, and there are {len(names)} columns. Repair it."
            )
    wanted = set(model.feature_names)
    return [
        _numbers([row[at] for row in rows], name, first) if name in wanted else [row[at] for row in rows]
        for at, name in enumerate(names)
    ]


def _numbers(cells: list[str], name: str, first: int) -> Any:
    numbers = np.empty(len(cells))
    for at, cell in enumerate(cells):
        try:
            numbers[at] = float(cell) if cell.strip() else np.nan
        except ValueError:
            problem = f"row {first + at}, column {name!r}: {cell!r} is no number"
            raise PredictorError(f"{problem}. Write a number, or nothing for a missing value.") from None
    return numbers


def _header(model: Predictor, found: Any, options: argparse.Namespace) -> list[str]:
    if found.ndim == 1:
        return ["raw" if options.raw else "prediction"]
    if options.proba and model.answer != "labels":
        return [str(label) for label in model.classes or ()]
    return [f"{'raw' if options.raw else 'prediction'}_{k}" for k in range(found.shape[1])]

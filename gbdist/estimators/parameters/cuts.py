"""How columns are cut into bins: CatBoost's parameters of all columns, of single ones, and borders of one's own."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.catboost_options import ANY_DATA, catboost_defaults
from gbdist.quantize.borders import FeatureBorders, borders_with_nan, choose_borders
from gbdist.quantize.cells import bins_type

OF_ALL: Final = ("border_count", "feature_border_type", "nan_mode")
BORDER_TYPES: Final = (
    "GreedyLogSum",
    "Median",
    "Uniform",
    "UniformAndQuantiles",
    "MinEntropy",
    "MaxLogSum",
    "GreedyMinEntropy",
)
NAN_MODES: Final = ("Min", "Max", "Forbidden")
MOST_BORDERS: Final = 65535
_OWN, _FILE = "per_float_feature_quantization", "input_borders"
_SHOWN = "'0:border_count=1024,nan_mode=Max'"


@dataclass(frozen=True, slots=True)
class ColumnCut:
    """How one column is cut; ``borders``, ascending, are given or None."""

    border_count: int
    feature_border_type: str
    nan_mode: str
    borders: tuple[float, ...] | None = None

    def choose(self, values: NDArray[np.float32], has_nan: bool, name: str) -> FeatureBorders:
        """Borders of the column, from sampled values, float32 [n_sampled], where they are not given."""
        if self.borders is not None:
            given = np.array(self.borders, dtype=np.float32)
            return borders_with_nan(given, self.nan_mode, has_nan, name)
        return choose_borders(values, self.border_count, self.feature_border_type, self.nan_mode, has_nan, name)


@dataclass(frozen=True, slots=True)
class QuantizeParams:
    """How columns are cut into bins, under CatBoost's names; ``of_column`` are those, by name, that are cut in their own way."""

    border_count: int
    feature_border_type: str
    nan_mode: str
    of_column: Mapping[str, ColumnCut] = field(default_factory=dict)

    def cut_of(self, name: str) -> ColumnCut:
        """How a column is cut."""
        usual = ColumnCut(self.border_count, self.feature_border_type, self.nan_mode)
        return self.of_column.get(name, usual)

    def choose(self, values: NDArray[np.float32], has_nan: bool, name: str) -> FeatureBorders:
        """Borders of a column, from sampled values, float32 [n_sampled]."""
        return self.cut_of(name).choose(values, has_nan, name)

    @property
    def cells(self) -> np.dtype[Any]:
        """Type of the bins, the widest that may be needed."""
        return bins_type(self.most_borders)

    @property
    def most_borders(self) -> int:
        """The most borders that a column may have."""
        own = [len(cut.borders) if cut.borders is not None else cut.border_count for cut in self.of_column.values()]
        return max([self.border_count, *own])


def quantize_params(checked: Mapping[str, Any], names: Sequence[str], unbinned: Collection[int] = ()) -> QuantizeParams:
    """What of ``canonical``'s answer decides the bins, with CatBoost's defaults filled in.

    ``names`` are those of all columns, ``unbinned`` the positions of those that are not cut. Raises ParameterError for a column
    that is not there or not cut, and for a file of borders that cannot be read.
    """
    cut_by = {name: checked[name] for name in OF_ALL if name in checked}
    filled = catboost_defaults({**cut_by, "loss_function": "RMSE"}, ANY_DATA)
    cut = filled["data_processing_options"]["float_features_binarization"]
    usual = ColumnCut(int(cut["border_count"]), str(cut["border_type"]), str(cut["nan_mode"]))
    own: dict[str, ColumnCut] = {}
    for text in checked.get(_OWN, ()):
        position, options = parse_cut(_OWN, text)
        name = _name_of(_OWN, list(checked[_OWN]), position, names, unbinned)
        own[name] = replace(usual, **options)  # the last one of a column counts, as in CatBoost
    if _FILE in checked:
        path = str(checked[_FILE])
        for position, (borders, nan_mode) in read_borders(path).items():
            name = _name_of(_FILE, path, position, names, unbinned)
            given = own.get(name, usual)
            own[name] = replace(given, borders=borders, nan_mode=nan_mode or given.nan_mode)
    return QuantizeParams(usual.border_count, usual.feature_border_type, usual.nan_mode, own)


def parse_cut(parameter: str, text: object) -> tuple[int, dict[str, Any]]:
    """Position and options of a description such as '0:border_count=1024,nan_mode=Max'; ParameterError for another one."""
    expected = f"a description such as {_SHOWN}, by position of the column"
    position, colon, rest = str(text).partition(":")
    pairs = [piece.partition("=") for piece in rest.split(",")] if colon else []
    if not isinstance(text, str) or not position.isdigit() or not all(key and value for key, _, value in pairs):
        raise ParameterError(parameter, text, expected, "Write options as key=value, with ',' between them.")
    options: dict[str, Any] = {}
    for key, _, value in pairs:
        match key:
            case "border_count" if value.isdigit() and 1 <= int(value) <= MOST_BORDERS:
                options["border_count"] = int(value)
            case "border_type" if value in BORDER_TYPES:
                options["feature_border_type"] = value
            case "nan_mode" if value in NAN_MODES:
                options["nan_mode"] = value
            case _:
                options_there = f"border_count from 1 to {MOST_BORDERS}, border_type or nan_mode"
                raise ParameterError(parameter, text, f"{options_there}, each as CatBoost has it", f"Correct {key!r}.")
    return int(position), options


def read_borders(path: str) -> dict[int, tuple[tuple[float, ...], str | None]]:
    """Borders, ascending, and nan_mode, if any, by position of the column, of a file as CatBoost's ``output_borders`` has it.

    A line is position, border and maybe nan_mode, with tabs between them. ParameterError that names the line otherwise.
    """
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fix = "Pass the path of a file that Pool.save_quantization_borders wrote."
        raise ParameterError(_FILE, path, f"a file of borders that can be read ({error})", fix) from None
    borders: dict[int, set[float]] = {}
    modes: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        position, _, rest = line.partition("\t")
        border, _, mode = rest.partition("\t")
        try:
            at, value = int(position), float(border)
        except ValueError:
            at, value = -1, math.nan
        if at < 0 or not math.isfinite(value) or mode not in ("", *NAN_MODES):
            expected = f"position, border and maybe nan_mode in line {number}, with tabs between them"
            raise ParameterError(_FILE, path, expected, f"The line is {line!r}.")
        borders.setdefault(at, set()).add(value)
        if mode:
            modes[at] = mode
    return {at: (tuple(sorted(values)), modes.get(at)) for at, values in borders.items()}


def _name_of(parameter: str, given: object, position: int, names: Sequence[str], unbinned: Collection[int]) -> str:
    if position >= len(names):
        fix = f"X has no column {position}; it has: {', '.join(names[:20])}."
        raise ParameterError(parameter, given, f"positions from 0 to {len(names) - 1}", fix)
    if position in unbinned:
        fix = f"{names[position]!r} is categorical: leave it out, or give it as numbers."
        raise ParameterError(parameter, given, "columns of numbers", fix)
    return names[position]

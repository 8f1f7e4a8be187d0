"""Predicting with exported files: each by what can read it, none of which gbdist needs otherwise."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.compression.exports.coreml import coreml_predictions
from gbdist.compression.exports.pmml import pmml_predictions
from gbdist.compression.exports.probes import Probes
from gbdist.compression.predictor import load_predictor
from gbdist.errors import ModelError

#: What a file answers for rows, float64 [n_rows, dimension]: raw values, or of ONNX classifiers probabilities.
Reader = Callable[[Path, Probes], NDArray[np.float64]]

_COMPILE_SECONDS = 300.0
_MAIN = """
#include <cstdio>
#include <iostream>
int main() {
    size_t rows, numbers, texts;
    std::cin >> rows >> numbers >> texts;
    for (size_t row = 0; row < rows; ++row) {
        std::vector<float> x(numbers);
        for (auto& value : x) { std::string text; std::cin >> text; value = std::stof(text); }
        std::vector<std::string> c(texts);
        for (auto& value : c) { size_t length; std::cin >> length; std::cin.get(); value.resize(length);
                                std::cin.read(&value[0], length); }
        for (double value : ApplyCatboostModelMulti(x, c)) std::printf("%.17g ", value);
        std::printf("\\n");
    }
}
"""


def reader_of(format_: str) -> Reader | None:
    """What reads files of the format on this machine; None where nothing does."""
    if format_ == "onnx" and find_spec("onnxruntime") is None:
        return None
    if format_ == "cpp" and _compiler() is None:
        return None
    return {
        "cbm": _by_catboost("cbm"),
        "json": _by_catboost("json"),
        "onnx": _onnx,
        "python": _python,
        "cpp": _cpp,
        "pmml": pmml_predictions,
        "coreml": coreml_predictions,
        "predictor": _predictor,
    }[format_]


def raw_values(model: Any, table: Any, kind: str = "RawFormulaVal") -> NDArray[np.float64]:
    """Raw values or another kind of prediction, float64 [n_rows, dimension]; of rankers too, whose ``predict`` has no kind."""
    values = np.asarray(catboost.CatBoost.predict(model, table, prediction_type=kind), dtype=np.float64)
    return values.reshape(len(values), -1)


def _by_catboost(format_: str) -> Reader:
    def predictions(path: Path, probes: Probes) -> NDArray[np.float64]:
        return raw_values(catboost.CatBoost().load_model(str(path), format=format_), probes.table)

    return predictions


def _onnx(path: Path, probes: Probes) -> NDArray[np.float64]:
    import onnxruntime  # an extra of those who want it

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": probes.numbers})[-1]
    if isinstance(found, list):  # {label: probability} of each row
        found = [list(row.values()) for row in found]
    values = np.asarray(found, dtype=np.float64)
    return values.reshape(len(values), -1)


def _predictor(path: Path, probes: Probes) -> NDArray[np.float64]:
    values = np.asarray(load_predictor(path).predict_raw(probes.table), dtype=np.float64)
    return values.reshape(len(values), -1)


def _python(path: Path, probes: Probes) -> NDArray[np.float64]:
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    apply = names["apply_catboost_model_multi"]
    rows = zip(probes.numbers.tolist(), probes.texts, strict=True)
    return np.array([apply(numbers, texts) for numbers, texts in rows], dtype=np.float64)


def _cpp(path: Path, probes: Probes) -> NDArray[np.float64]:
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "model.cpp", Path(folder) / "model"
        source.write_text(path.read_text(encoding="utf-8") + _MAIN, encoding="utf-8")
        command = [str(_compiler()), "-std=c++17", "-O0", str(source), "-o", str(program)]
        built = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_SECONDS)
        if built.returncode:
            problem = f"the C++ compiler refuses CatBoost's file ({built.stderr[:300]})"
            raise ModelError(problem, "Export it in another format.")
        lines = [f"{len(probes.numbers)} {probes.numbers.shape[1]} {len(probes.texts[0])}"]
        for numbers, texts in zip(probes.numbers.tolist(), probes.texts, strict=True):
            lines.append(" ".join([*map(repr, numbers), *(f"{len(text.encode())} {text}" for text in texts)]))
        ran = subprocess.run(
            [str(program)], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True, timeout=60
        )
        return np.array([[float(value) for value in line.split()] for line in ran.stdout.splitlines()])


def _compiler() -> str | None:
    return shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")

"""A predictor as a user has it: one file and NumPy, in a fresh process that can import nothing else."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gbdist.compression.predictor import save_predictor
from gbdist.models.catboost_format import to_catboost

#: Whatever is not of Python's own library, NumPy or the file cannot be imported.
BLOCK = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "gbdist_predictor", "__main__"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Nothing())
"""
PREDICT = """
sys.path.insert(0, sys.argv[1])
import numpy as np
from gbdist_predictor import PredictorError, load_predictor

for name in ("catboost", "pandas", "gbdist", "scipy"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{name} is there")
predictor = load_predictor()
assert repr(predictor) == repr(load_predictor(sys.argv[1]))
rows = np.load(sys.argv[2])
np.save(sys.argv[3], predictor.predict_raw(rows))
print(predictor)
try:
    predictor.predict(rows[:, 1:])
except PredictorError as error:
    print(error)
"""


@pytest.fixture
def file(make_ensemble, tmp_path: Path) -> Path:
    """A predictor of two classes with a missing value in each direction."""
    save_predictor(to_catboost(make_ensemble([6, 4, 2], class_names=("no", "yes"))), tmp_path / "small.pyz")
    return tmp_path / "small.pyz"


def run(file: Path, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """``python small.pyz …`` with nothing but NumPy beside it: main is run as Python would run it."""
    code = f"{BLOCK}\nimport runpy\nsys.argv[0] = {str(file)!r}\nrunpy.run_path({str(file)!r}, run_name='__main__')"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=file.parent)


def test_numpy_is_enough(make_ensemble, raw_features, file: Path, tmp_path: Path) -> None:
    model = to_catboost(make_ensemble([6, 4, 2], class_names=("no", "yes")))
    np.save(tmp_path / "rows.npy", raw_features)
    arguments = [str(file), str(tmp_path / "rows.npy"), str(tmp_path / "raw.npy")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", BLOCK + PREDICT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = model.predict(raw_features, prediction_type="RawFormulaVal")
    np.testing.assert_array_equal(np.load(tmp_path / "raw.npy"), expected)
    assert done.stdout.splitlines() == [
        "Predictor(3 trees, 84 leaves as float64, 6 features, loss='Logloss', error_bound=0)",
        "rows have shape (900, 5), expected (number of rows, 6): a column for each of the model's features "
        "(feature_names), used or not.",
    ]


def test_the_file_itself_is_a_program(file: Path) -> None:
    done = subprocess.run([sys.executable, str(file), "--about"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "Predictor(3 trees, 84 leaves as float64, 6 features, loss='Logloss', error_bound=0)",
        "features: f0, f1, f2, f3, f4, f5",
        "classes: no, yes",
    ]


@pytest.mark.parametrize("by", ["file", "pipe"])
def test_rows_of_a_csv_file_are_predicted(make_ensemble, file: Path, tmp_path: Path, by: str) -> None:
    model = to_catboost(make_ensemble([6, 4, 2], class_names=("no", "yes")))
    rows = np.array([[0, 1.5, -2, 0.25, 0, 1], [0, np.nan, np.nan, 3, -1, 0.5], [0, -1, -1, -1, -1, -1]])
    lines = ["note,f5,f4,f3,f2,f1,f0"]  # in another order, with a column that is no feature
    lines += [",".join(["x", *("" if np.isnan(v) else repr(float(v)) for v in row[::-1])]) for row in rows]
    text = "\n".join(lines) + "\n"
    (tmp_path / "rows.csv").write_text(text)
    where, given = (["rows.csv"], None) if by == "file" else ([], text)
    raw = run(file, *where, "--raw", given=given)
    assert raw.stdout.splitlines()[0] == "raw"
    expected = model.predict(rows, prediction_type="RawFormulaVal")
    assert [float(line) for line in raw.stdout.splitlines()[1:]] == expected.tolist()
    classes = run(file, *where, given=given)
    assert classes.stdout.splitlines() == ["prediction", *model.predict(rows).tolist()]
    probabilities = run(file, *where, "--proba", given=given)
    assert probabilities.stdout.splitlines()[0] == "no,yes"
    assert len(probabilities.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no rows, not even a line with the names of columns. Pass a CSV file."),
        ("f1,f2,f3,f4\n1,2,3,4\n", "columns ['f5'] are missing; found ['f1', 'f2', 'f3', 'f4']. Name the columns as the "
         "model does (feature_names)."),
        ("a,b\n", "columns ['f1', 'f2', 'f3', 'f4', 'f5'] are missing; found ['a', 'b']. Name the columns as the "
         "model does (feature_names)."),
        ("f1,f2,f1,f3,f4,f5\n1,2,3,4,5,6\n", "columns ['f1'] are there more than once. Leave all but one of each out."),
        ("f1,f2,f3,f4,f5\n1,2,3,4,5\n1,2,3\n", "row 3 has 3 cells, and there are 5 columns. Repair it."),
        ("f1,f2,f3,f4,f5\n1,2,many,4,5\n", "row 2, column 'f3': 'many' is no number. Write a number, or nothing for a "
         "missing value."),
    ],
)  # fmt: skip
def test_rows_that_will_not_do_are_told(file: Path, text: str, message: str) -> None:
    done = run(file, given=text)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {message}\n"


def test_a_file_of_rows_that_is_not_there_is_told(file: Path) -> None:
    done = run(file, "none.csv")
    assert (done.returncode, done.stderr) == (2, "error: [Errno 2] No such file or directory: 'none.csv'\n")


def test_a_file_that_is_no_text_is_told(file: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1\x80")
    done = run(file, "rows.parquet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: 'utf-8' codec can't decode byte 0x80")


def test_whoever_reads_no_further_hears_nothing(make_ensemble, file: Path, tmp_path: Path) -> None:
    names = list(make_ensemble([6, 4, 2]).feature_names)
    line = ",".join("0" for _ in names)
    (tmp_path / "many.csv").write_text("\n".join([",".join(names), *[line] * 100_000]))
    with subprocess.Popen(
        [sys.executable, str(file), str(tmp_path / "many.csv")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        assert done.stdout.readline() == "prediction\n"
        done.stdout.close()
        assert (done.stderr.read(), done.wait(60)) == ("", 1)


def test_of_no_rows_there_is_the_line_of_names(file: Path) -> None:
    assert run(file, "--proba", given="f1,f2,f3,f4,f5\n").stdout == "no,yes\n"
    assert run(file, given="f1,note,note,f2,f3,f4,f5\n").stdout == "prediction\n"


def test_the_package_imports_only_what_is_everywhere() -> None:
    import ast

    from gbdist.compression.predictor import standalone

    tops = set()
    for path in Path(standalone.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                tops |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                tops.add(str(node.module).partition(".")[0])
    assert tops - set(sys.stdlib_module_names) == {"numpy"}

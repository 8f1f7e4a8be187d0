"""What Tab offers, asked for as a shell asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gbdist_cli import completion
from gbdist_cli.completion import files, parameters, words

GBDIST = Path(sys.executable).with_name("gbdist")


def offered(folder: Path, line: str, shell: str = "bash") -> list[str]:
    """What a shell is told at the end of a line."""
    typed = line.split(" ")
    asked = {"_GBDIST_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(len(typed) - 1)}
    if shell in ("zsh", "fish"):
        asked |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run([GBDIST], cwd=folder, env={**os.environ, **asked}, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("sales.parquet", "sales.csv.gz", "notes.txt", "model.cbm", ".hidden.parquet", "job.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "one.pq").write_text("")
    return tmp_path


def test_commands(folder: Path) -> None:
    found = offered(folder, "gbdist ")
    assert {"train", "predict", "report", "demo", "doctor", "cluster"} <= set(found)
    assert {"up", "down", "status"} <= set(offered(folder, "gbdist cluster "))


def test_data_files_and_folders(folder: Path) -> None:
    assert offered(folder, "gbdist train s") == ["sales.csv.gz", "sales.parquet"]
    assert offered(folder, "gbdist predict model.cbm parts/") == ["parts/one.pq"]


def test_model_files_in_zsh(folder: Path) -> None:
    text = "\n".join(offered(folder, "gbdist report ", "zsh"))
    assert '"model.cbm"' in text
    assert '"parts/"' in text
    assert "notes.txt" not in text


def test_parameters_kinds_and_tasks(folder: Path) -> None:
    assert offered(folder, "gbdist train -p learning") == ["learning_rate="]
    assert offered(folder, "gbdist cluster up --kind s") == ["ssh", "slurm"]
    assert offered(folder, "gbdist train --task bi") == ["binary"]
    assert offered(folder, "gbdist train --config ") == ["job.toml", "parts/"]


def test_clusters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gbdist.jobs.clusters.names", lambda: ["big", "default"])
    assert completion.clusters("") == ["big", "default"]
    assert completion.clusters("b") == ["big"]


def test_names_of_clusters_are_those_of_their_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path))
    assert completion.clusters("") == []


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("dep", ["depth="]),
        ("n_est", ["n_estimators="]),
        ("grow_policy=L", ["grow_policy=Lossguide"]),
        ("loss_function=Multi", ["MultiClass", "MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy", "MultiQuantile",
                                 "MultiRMSE", "MultiRMSEWithMissingValues"]),
        ("objective=Yeti", ["objective=YetiRank"]),
        ("use_best_model=", ["use_best_model=true", "use_best_model=false"]),
        ("depth=", []),
        ("no_such=", []),
    ],
)  # fmt: skip
def test_parameters_and_their_values(typed: str, expected: list[str]) -> None:
    found = parameters(typed)
    assert [one.removeprefix("loss_function=") for one in found] == expected


def test_parameters_that_are_refused_are_not_offered() -> None:
    from gbdist.estimators.parameters.table import TABLE, Refused

    refused = {name for name, rule in TABLE.items() if isinstance(rule, Refused)}
    assert refused
    assert not {one.removesuffix("=") for one in parameters("")} & refused


def test_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert files()("") == ["job.toml", "model.cbm", "notes.txt", "parts/", "sales.csv.gz", "sales.parquet"]
    assert files(".parquet")(".") == [".hidden.parquet"]
    assert files(".pq")(f"{folder}/parts/o") == [f"{folder}/parts/one.pq"]
    assert files()("no/such/") == []
    monkeypatch.setenv("HOME", str(folder))
    assert files(".cbm")("~/m") == ["~/model.cbm"]
    assert words(["one", "two"])("t") == ["two"]


def test_nothing_heavy_is_loaded_to_complete(folder: Path) -> None:
    heavy = {"numba", "dask", "distributed", "catboost", "pandas", "pyarrow", "sklearn", "bokeh"}
    code = (
        "import sys\nfrom gbdist_cli.completion import clusters, files, parameters\n"
        f"clusters(''); files()(''); parameters('loss_function=')\nprint(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_the_script_for_a_shell_can_be_shown() -> None:
    done = subprocess.run([GBDIST, "--show-completion", "bash"], capture_output=True, text=True, timeout=60)
    assert "_GBDIST_COMPLETE=complete_bash" in done.stdout

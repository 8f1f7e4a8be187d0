"""Imports go one way: gbdist_cli → gbdist → gbdist_cluster, and only some rooms of gbdist know the cluster."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    "gbdist": ROOT / "gbdist",
    "gbdist_cluster": ROOT / "cluster/gbdist_cluster",
    "gbdist_cli": ROOT / "cli/gbdist_cli",
}
FORBIDDEN = {
    "gbdist_cluster": {"gbdist", "gbdist_cli"},
    "gbdist": {"gbdist_cli"},
    # The commands reach the cluster through the library's jobs.
    "gbdist_cli": {"gbdist_cluster", "dask", "distributed"},
}
CLUSTER = {"gbdist_cluster", "dask", "distributed"}
# The rooms of gbdist that may know the cluster; every other one, also one that is not written yet, is pure.
NOT_PURE = {"compression", "estimators", "jobs", "selection"}
# What is pure inside of those: ranks ask it about their own rows.
PURE_INSIDE = ("gbdist.selection.rules", "gbdist.selection.folds", "gbdist.compression.passes")


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and absolute module name of every import, wherever it stands in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.lineno, node.module


def wrong_imports(module: str, source: str) -> list[str]:
    """Imports that ``module`` (its dotted name) may not make, each as "module:line imports what"."""
    package, *rest = module.split(".")
    forbidden = set(FORBIDDEN[package])
    pure = package == "gbdist" and (not rest or rest[0] not in NOT_PURE or module.startswith(PURE_INSIDE))
    if pure and module not in ("gbdist", "gbdist.errors"):
        forbidden |= CLUSTER
    wrong = []
    for line, name in imports(source):
        top, *below = name.split(".")
        outer_room = top == "gbdist" and package == "gbdist" and below[:1] and below[0] in NOT_PURE
        if top in forbidden or (outer_room and rest and pure and not name.startswith(PURE_INSIDE)):
            wrong.append(f"{module}:{line} imports {name}")
    return wrong


def modules() -> list[tuple[str, Path]]:
    """Dotted name and file of every module of the three packages."""
    found = []
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def test_every_import_goes_the_right_way() -> None:
    found = modules()
    assert {name.split(".")[0] for name, _ in found} == set(SOURCES)
    assert [wrong for name, path in found for wrong in wrong_imports(name, path.read_text())] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gbdist_cluster.gang", "import gbdist"),
        ("gbdist_cluster.gang", "from gbdist.errors import DataError"),
        ("gbdist_cluster.gang", "def f():\n    import gbdist_cli.main"),
        ("gbdist.estimators.base", "from gbdist_cli import output"),
        ("gbdist.boosting.loop", "import dask.array as da"),
        ("gbdist.boosting.loop", "from distributed import Client"),
        ("gbdist.boosting.loop", "from gbdist.estimators import base"),
        ("gbdist.kernels.histogram", "if True:\n    from gbdist_cluster.errors import PeerLost"),
        ("gbdist.not_written_yet.loop", "import dask"),
        ("gbdist.selection.rules.base", "import dask.array as da"),
        ("gbdist.selection.folds", "from gbdist.selection.base import Splitter"),
        ("gbdist.compression.passes.drop", "from gbdist_cluster.gang import run_on_gang"),
        ("gbdist.compression.passes.drop", "from gbdist.compression.data import CompressionData"),
        ("gbdist.boosting.loop", "from gbdist.selection import KFold"),
        ("gbdist_cli.train", "import dask"),
        ("gbdist_cli.train", "from gbdist_cluster.launch.local import start_local"),
    ],
)
def test_wrong_import_is_found(module: str, source: str) -> None:
    assert len(wrong_imports(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gbdist", "from gbdist.estimators.classifier import DaskCatBoostClassifier"),
        ("gbdist.errors", "from gbdist_cluster.errors import GbdistError"),
        ("gbdist.estimators.base", "import dask, gbdist_cluster.gang, gbdist.boosting.loop"),
        ("gbdist.jobs.train", "from gbdist.estimators.training import plan"),
        ("gbdist.boosting.loop", "from gbdist.errors import DataError\nimport numpy, daskless"),
        ("gbdist_cli.train", "from gbdist.jobs import train"),
        ("gbdist.selection.kfold", "import dask\nfrom gbdist.estimators.preparation.inputs import is_lazy"),
        ("gbdist.boosting.loop", "from gbdist.selection.rules.base import Rule"),
        ("gbdist.compression.pipeline", "import dask\nfrom gbdist.compression.passes.base import Pass"),
        ("gbdist_cluster.gang", "import distributed"),
    ],
)
def test_right_import_is_let_through(module: str, source: str) -> None:
    assert wrong_imports(module, source) == []

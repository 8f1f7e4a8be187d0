"""What runs code that it reads is called where whoever sent it may run code anyway, and nowhere else.

Dask itself runs what it is sent: whoever may connect to a cluster may run anything there, which is why clusters have certificates
(tests/end_to_end/test_security.py). So messages between our own processes over its connections may be unpickled. A file, a model
or an argument may not, and no text becomes a command.
"""

import ast
from collections.abc import Iterator

import pytest

from .test_layers import modules

UNSAFE = {
    "eval",
    "exec",
    "compile",
    "__import__",
    *(
        f"{module}.{name}"
        for module in ("pickle", "cloudpickle", "marshal", "joblib", "dill")
        for name in ("load", "loads")
    ),
    "pickle.Unpickler",
    "shelve.open",
    "pandas.read_pickle",
    "pd.read_pickle",
    "yaml.load",
    "pickle_loads",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
}

#: Messages of our own processes, over connections that Dask has authenticated: module → calls.
ALLOWED = {
    # Events of ranks, on their client; their errors; what ranks are told by their client.
    "gbdist_cluster.attempt": {"cloudpickle.loads"},
    "gbdist_cluster.rank_errors": {"cloudpickle.loads"},
    "gbdist_cluster.ranks": {"pickle.loads"},
    # A shard that Dask moves from one worker to another.
    "gbdist_cluster.shards": {"pickle_loads"},
    # Items of an ``all_gather`` or ``all_to_all`` between the ranks of a gang.
    "gbdist.estimators.gang_run": {"pickle.loads"},
    "gbdist.rounds.merged": {"pickle.loads"},
    "gbdist.rounds.groups": {"pickle.loads"},
    "gbdist.estimators.ranked_rows": {"pickle.loads"},
    "gbdist.compression.pipeline": {"pickle.loads"},
    # A program that CatBoost has just written from numbers and texts, which it escapes (tests: exports/test_readers.py): it is
    # run to see whether it says what the model says.
    "gbdist.compression.exports.readers": {"exec", "compile"},
}


def unsafe_calls(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every call of the source that runs what it reads, whatever it was imported as."""
    tree = ast.parse(source)
    meant: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            meant.update((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            meant.update((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        top, dot, rest = name.partition(".")
        full = meant.get(top, top) + dot + rest
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if full in UNSAFE or full.rpartition(".")[2] == "pickle_loads":
            yield node.lineno, name
        for keyword, value in (("shell", True), ("allow_pickle", True)):
            given = keywords.get(keyword)
            if given is not None and not (isinstance(given, ast.Constant) and given.value is not value):
                yield node.lineno, f"{name}({keyword}=…)"


def test_nothing_else_runs_what_it_reads() -> None:
    found = [
        f"{module}:{line} calls {name}"
        for module, path in modules()
        for line, name in unsafe_calls(path.read_text())
        if name not in ALLOWED.get(module, set())
    ]
    assert found == []


def test_every_exception_is_still_needed() -> None:
    sources = {module: path.read_text() for module, path in modules()}
    called = {module: {name for _, name in unsafe_calls(sources[module])} for module in ALLOWED}
    assert called == ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "import pickle\npickle.load(file)",
        "from pickle import loads\nloads(b'')",
        "from cloudpickle import loads as read\nread(b'')",
        "import pickle as p\np.Unpickler(file)",
        "import os\nos.system('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=flag)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "from distributed.protocol.serialize import pickle_loads\npickle_loads(header, frames)",
    ],
)
def test_unsafe_call_is_found(source: str) -> None:
    assert len(list(unsafe_calls(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['ls'])",
        "import json\njson.loads(text)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "model.eval(rows)",
        "import re\nre.compile('a')",
    ],
)
def test_other_calls_are_let_through(source: str) -> None:
    assert list(unsafe_calls(source)) == []

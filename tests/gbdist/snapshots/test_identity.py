"""What two runs differ in is told in words, and how many steps they share where iterations differ."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gbdist.errors import SnapshotError
from gbdist.snapshots.digest import SetDigest
from gbdist.snapshots.format import DamagedSnapshot
from gbdist.snapshots.identity import Identity, identity_of, require_same, usable_steps

FIX = "Train with the same parameters and data to go on from it, or give another snapshot_file to begin anew."
MIXED = 2**64 - 1  # which float64 has not

DATA = (SetDigest((1, 2, MIXED), 4, 5, 0, 0, 0), SetDigest((6, 7, 8), 9, 0, 0, 0, 0))
RUN = Identity(
    iterations=100,
    parameters={"learning_rate": 0.1, "metrics": ["RMSE"], "feature_weights": None, "init_model": None},
    features=("age", "it's $HOME\n`x`", "city"),
    sets=(("", 1000), ("eval_set", 20)),
    borders=("aa", "bb"),
    binned=(0, 1),
    data=DATA,
)


def changed_data(number: int, **changes: Any) -> Identity:
    return replace(RUN, data=tuple(replace(one, **changes) if k == number else one for k, one in enumerate(DATA)))


def test_it_comes_back_from_json() -> None:
    assert identity_of(json.loads(json.dumps(RUN.as_json())), "f") == RUN


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": "many"},
        {"parameters": 3},
        {"sets": [["", 3, 4]]},
        {"data": [{"columns": ["xyz"]}]},
        {"data": []},
        {"binned": [0]},
        {"features": None},
    ],
)
def test_anything_else_is_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(DamagedSnapshot):
        identity_of({**json.loads(json.dumps(RUN.as_json())), **changes}, "f")
    with pytest.raises(DamagedSnapshot):
        identity_of({}, "f")


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (
            replace(RUN, parameters={**RUN.parameters, "learning_rate": 0.05}),
            "learning_rate: 0.1 in the snapshot, 0.05 here",
        ),
        (
            replace(RUN, parameters={**RUN.parameters, "init_model": "ab12"}),
            "init_model: None in the snapshot, 'ab12' here",
        ),
        (replace(RUN, parameters={**RUN.parameters, "feature_weights": [1.0] * 50}), "feature_weights: other values"),
        (replace(RUN, parameters={**RUN.parameters, "depth": 3}), "depth: nothing in the snapshot, 3 here"),
        (
            replace(RUN, features=("age", "income", "city")),
            "column 1: \"it's $HOME\\n`x`\" in the snapshot, 'income' here",
        ),
        (
            replace(RUN, features=("age", "city")),
            "3 columns in the snapshot, 2 here; column 1: \"it's $HOME\\n`x`\" in the snapshot, 'city' here",
        ),
        (replace(RUN, features=(*RUN.features, "more")), "3 columns in the snapshot, 4 here"),
        (replace(RUN, sets=RUN.sets[:1], data=DATA[:1]), "1 eval sets in the snapshot, 0 here"),
        (
            replace(RUN, sets=(("", 1001), ("eval_set", 19))),
            "1,000 rows in the snapshot, 1,001 here; eval_set, 20 rows in the snapshot, 19 here",
        ),
        (replace(RUN, borders=("aa", "cc")), 'column "it\'s $HOME\\n`x`" has other borders'),
        (replace(RUN, binned=(0, 2)), "other columns are categorical"),
        (changed_data(0, columns=(1, 2, 3)), "column 'city' has other values"),
        (changed_data(1, columns=(0, 7, 8)), "eval_set, column 'age' has other values"),
        (changed_data(0, label=0, weight=0), "the labels are other ones; the weights are other ones"),
        (
            changed_data(1, baseline=1, group=1, pairs=1),
            "eval_set, the baseline is another one; eval_set, the groups are other ones; eval_set, the pairs are other ones",
        ),
        (
            replace(changed_data(0, columns=(0, 0, 0)), parameters={**RUN.parameters, "a": 1, "b": 2, "c": 3}),
            "a: nothing in the snapshot, 1 here; b: nothing in the snapshot, 2 here; c: nothing in the snapshot, 3 here; "
            "column 'age' has other values; column \"it's $HOME\\n`x`\" has other values; and 1 more",
        ),
    ],
)
def test_what_differs_is_told(here: Identity, words: str) -> None:
    with pytest.raises(SnapshotError) as refusal:
        require_same(RUN, here, "runs/a")
    assert str(refusal.value) == f"runs/a: found a snapshot of another run ({words}), expected one of this run. {FIX}"


@pytest.mark.parametrize(
    "here",
    [RUN, replace(RUN, iterations=7), replace(RUN, data=()), replace(RUN, data=(), borders=(), binned=())],
)
def test_iterations_may_differ_and_what_is_not_known_yet_is_not_compared(here: Identity) -> None:
    require_same(RUN, here, "f")


@pytest.mark.parametrize(
    ("saved", "n_steps", "wanted", "period", "usable"),
    [
        (10, 10, 10, 1, 10),
        (10, 6, 10, 1, 6),
        (10, 0, 10, 1, 0),
        (10, 10, 15, 1, 10),
        (10, 10, 3, 1, 3),
        # Trees 0, 3, 6, 9 have metrics, and the last one.
        (10, 10, 15, 3, 10),
        (9, 9, 15, 3, 8),  # tree 8 has metrics that it would not have
        (9, 8, 15, 3, 8),
        (9, 9, 9, 3, 9),
        (15, 12, 9, 3, 8),  # tree 8 has no metrics, and would have
        (15, 12, 10, 3, 10),
        (15, 12, 13, 3, 12),
        (15, 12, 12, 3, 11),
        (5, 0, 1, 3, 0),
    ],
)
def test_steps_that_runs_of_other_iterations_share(
    saved: int, n_steps: int, wanted: int, period: int, usable: int
) -> None:
    assert usable_steps(saved, n_steps, wanted, period) == usable

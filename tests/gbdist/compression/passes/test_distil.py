"""Students: how near they come to their teachers, what they keep of them, and that ranks do not matter."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes import distil
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.distil import Distil
from gbdist.compression.passes.outputs import leaves_of, raw_predictions
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree

from ..conftest import data_of, on_ranks, placements, rows_of

NAMES = {1: None, 3: ("ant", "bee", "cow")}


def labels(n_rows: int, n_classes: int) -> np.ndarray:
    return (np.arange(n_rows) % n_classes).astype(np.float32)


def missed(student: Ensemble, teacher: Ensemble, data: PassData) -> float:
    """Which share of the variance of what the teacher says the student misses."""
    said = raw_predictions(teacher, data)
    return float((raw_predictions(student, data) - said).var() / said.var(axis=1).mean())


@pytest.mark.parametrize("n_classes", [1, 3])
def test_a_student_says_about_the_same_with_fewer_and_shallower_trees(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray, n_classes: int
) -> None:
    teacher = make_ensemble([3] * 60, n_classes, NAMES[n_classes])
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, n_classes)))
    student = Distil(trees=50, depth=2, copies=2, labels=0.0).apply(teacher, data)
    assert [tree.depth for tree in student.trees] == [2] * 50
    assert missed(student, teacher, data) < 0.35
    assert missed(Distil(trees=5, depth=2, copies=2, labels=0.0).apply(teacher, data), teacher, data) > 0.4
    kept = replace(student, trees=teacher.trees, bias=teacher.bias)
    assert kept == teacher
    found = to_catboost(student).predict(raw_features, prediction_type="RawFormulaVal").T.reshape(-1, 900)
    assert np.ascontiguousarray(found).tobytes() == raw_predictions(student, data).tobytes()


def test_copies_teach_what_the_rows_do_not(make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray) -> None:
    teacher = make_ensemble([4] * 40)
    few = data_of(teacher, rows_of(teacher, raw_features[:150], labels(150, 1)))
    others = data_of(teacher, rows_of(teacher, raw_features[150:], labels(750, 1)))
    student = Distil(trees=40, copies=0, labels=0.0)
    taught = replace(student, copies=8, noise=0.5, likeness=1.0)
    assert missed(taught.apply(teacher, few), teacher, others) < 0.8 * missed(
        student.apply(teacher, few), teacher, others
    )


@pytest.mark.parametrize("n_classes", [1, 3])
def test_students_of_any_ranks_are_the_same(make_categorical: Callable[..., Any], n_classes: int) -> None:
    case = make_categorical(3, max(2, n_classes), n_classes, NAMES[n_classes])
    weight = np.random.default_rng(3).random(1000).astype(np.float32)
    rows = rows_of(case.ensemble, case.features, labels(1000, n_classes), case.hashes, weight)
    work = Distil(trees=6, depth=4, copies=2)
    alone = work.apply(case.ensemble, data_of(case.ensemble, rows))
    used = {split.feature for tree in alone.trees for split in tree.splits}
    assert used & {3, 4}  # one-hot features
    for placement in placements(1000):
        for found in on_ranks(case.ensemble, rows, placement, lambda data: work.apply(case.ensemble, data)):
            assert found.trees == alone.trees
            assert found.bias.tobytes() == alone.bias.tobytes()
    assert work.apply(case.ensemble, data_of(case.ensemble, rows, seed=8)).trees != alone.trees


def test_labels_move_what_a_student_says_of_the_rows(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    teacher = make_ensemble([3] * 10)
    raw = raw_predictions(teacher, data_of(teacher, rows_of(teacher, raw_features, labels(900, 1))))[0]
    above = (np.asarray(raw_features[:, 3]) > 0).astype(np.float64)
    # One row counts nothing, and has a label that would count for all.
    label, weight = (raw + above).astype(np.float32), np.ones(900, np.float32)
    label[7], weight[7] = 1e9, 0.0
    data = data_of(teacher, rows_of(teacher, raw_features, label, weight=weight))
    moved = [
        raw_predictions(Distil(trees=60, copies=1, labels=share, rounds=1).apply(teacher, data), data)[0] - raw
        for share in (0.0, 0.5)
    ]
    assert [(moved[k][above == 1]).mean() for k in (0, 1)] == pytest.approx([0.0, 0.4], abs=0.15)
    assert [(moved[k][above == 0]).mean() for k in (0, 1)] == pytest.approx([0.0, 0.0], abs=0.15)


def test_rows_count_more_than_their_copies(make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray) -> None:
    teacher = make_ensemble([4] * 40)
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    student = Distil(trees=30, copies=6, labels=0.0, noise=0.5, likeness=1.0, emphasis=1.0)
    counted = missed(replace(student, emphasis=20.0).apply(teacher, data), teacher, data)
    assert counted < 0.8 * missed(student.apply(teacher, data), teacher, data)


def test_leaf_values_that_settle_say_more_of_what_the_teacher_says(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    teacher = make_ensemble([4] * 40)
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    student = Distil(trees=30, depth=4, copies=0, labels=0.0, rounds=0)
    before, after = student.apply(teacher, data), replace(student, rounds=3).apply(teacher, data)
    assert [tree.splits for tree in after.trees] == [tree.splits for tree in before.trees]
    assert missed(after, teacher, data) < 0.9 * missed(before, teacher, data)


def test_columns_that_were_monotone_stay_so(make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray) -> None:
    one = make_ensemble([3] * 30)
    learner = {**one.options["tree_learner_options"], "monotone_constraints": {"3": 1}}
    teacher = replace(one, options={**one.options, "tree_learner_options": learner})
    rows = rows_of(teacher, raw_features, labels(900, 1))
    student = Distil(trees=30, depth=3, copies=1).apply(teacher, data_of(teacher, rows))
    assert any(split.feature == 3 for tree in student.trees for split in tree.splits)
    said = []
    for number in range(len(teacher.borders[3].values) + 1):
        bins = np.array(rows.bins)
        bins[3] = number
        said.append(raw_predictions(student, data_of(teacher, replace(rows, bins=bins)))[0])
    assert np.diff(said, axis=0).min() > -1e-9


def test_the_model_that_the_compression_began_with_is_the_teacher(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    teacher = make_ensemble([4] * 20)
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    first = replace(teacher, trees=teacher.trees[:10])
    student = Distil(trees=40, copies=0, labels=0.0)
    found = student.apply(first, replace(data, teacher=teacher))
    assert missed(found, teacher, data) < 0.5 * missed(student.apply(first, data), teacher, data)
    tested = {split for tree in first.trees for split in tree.splits}
    assert {split for tree in found.trees for split in tree.splits} <= tested


def test_leaf_weights_are_those_of_the_rows_without_copies(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    teacher = make_ensemble([4] * 9)
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    for tree in Distil(trees=4, depth=3, copies=2).apply(teacher, data).trees:
        assert tree.leaf_weights.tolist() == np.bincount(leaves_of(tree, data), minlength=8).tolist()


def test_labels_far_from_zero_are_learnt_as_well(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    teacher = make_ensemble([5] * 20)
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    shifted = tuple(replace(tree, leaf_values=1e-9 * tree.leaf_values + 1e3) for tree in teacher.trees)
    near, far = (
        missed(Distil(trees=20, copies=0, labels=0.0).apply(one, data), one, data)
        for one in (teacher, replace(teacher, trees=shifted))
    )
    # float32 holds 1e-9 beside 2e4 not at all: labels are what a row differs by.
    assert near < far < 1.5


def test_a_student_of_trees_that_are_not_symmetric_says_that_its_own_are(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    one = make_ensemble([1])
    split = one.trees[0].splits[0]
    values = np.array([[1.0], [2.0], [4.0]])
    tree = NonSymmetricTree((Node(split, ~0, 1), Node(replace(split, border=20), ~1, ~2)), values, np.ones(3))
    options = {
        **one.options,
        "tree_learner_options": {**one.options["tree_learner_options"], "grow_policy": "Lossguide"},
    }
    teacher = replace(one, trees=(tree,), options=options)
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    student = Distil(trees=10, depth=2, learning_rate=1.0, copies=0, labels=0.0, l2_leaf_reg=0.0).apply(teacher, data)
    assert missed(student, teacher, data) < 1e-6
    assert student.options["tree_learner_options"]["grow_policy"] == "SymmetricTree"
    assert teacher.options["tree_learner_options"]["grow_policy"] == "Lossguide"


@pytest.mark.parametrize(
    ("n_rows", "copies"), [(0, 20), (900, 20), (60_000, 2), (100_001, 0), (200_000, 0), (10**9, 0)]
)
def test_there_are_as_many_copies_as_bring_enough_rows(n_rows: int, copies: int) -> None:
    assert Distil(trees=1)._copies(n_rows) == copies
    assert Distil(trees=1, copies=3)._copies(n_rows) == 3
    assert distil.WANTED_ROWS == 200_000


def test_a_model_that_says_one_thing_has_nothing_to_teach(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    teacher = make_ensemble([0, 0])
    data = data_of(teacher, rows_of(teacher, raw_features, labels(900, 1)))
    with pytest.raises(ModelError) as refused:
        Distil(trees=2).apply(teacher, data)
    assert str(refused.value) == "no tree of the model has a split, so a student has nothing to learn. Keep the model."


def test_whoever_waits_no_longer_ends_the_lessons(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    class Gone(Exception):
        pass

    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 30:
            raise Gone

    teacher = make_ensemble([2] * 10)
    data = replace(data_of(teacher, rows_of(teacher, raw_features, labels(900, 1))), check=check)
    with pytest.raises(Gone):
        Distil(trees=100, copies=0).apply(teacher, data)
    assert len(asked) == 31


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"trees": 0}, "trees=0 cannot be used: expected an integer, at least 1."),
        ({"trees": 2.0}, "trees=2.0 cannot be used: expected an integer, at least 1."),
        ({"trees": True}, "trees=True cannot be used: expected an integer, at least 1."),
        ({"depth": 17}, "depth=17 cannot be used: expected at most 16."),
        ({"copies": -1}, "copies=-1 cannot be used: expected an integer, at least 0."),
        ({"learning_rate": 0.0}, "learning_rate=0.0 cannot be used: expected a number above 0, at most 1."),
        ({"likeness": 1.5}, "likeness=1.5 cannot be used: expected a number above 0, at most 1."),
        ({"noise": float("nan")}, "noise=nan cannot be used: expected a number, 0 to 1."),
        ({"labels": True}, "labels=True cannot be used: expected a number, 0 to 1."),
        ({"emphasis": 0.5}, "emphasis=0.5 cannot be used: expected a number, at least 1."),
        ({"rounds": -1}, "rounds=-1 cannot be used: expected an integer, at least 0."),
        ({"l2_leaf_reg": -1}, "l2_leaf_reg=-1 cannot be used: expected a number, at least 0."),
    ],
)
def test_values_out_of_their_range_are_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParameterError) as refused:
        Distil(**{"trees": 5, **parameters})
    assert str(refused.value) == f"{problem} Leave it out to use what is usual."

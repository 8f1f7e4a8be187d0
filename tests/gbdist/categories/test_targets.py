"""Classes of the target are CatBoost's: those of a classifier, or ranges between its borders."""

from dataclasses import replace

import numpy as np
import pytest
from catboost.utils import calculate_quantization_grid

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows, Segment
from gbdist.categories import targets
from gbdist.categories.rules import CategoryRules
from gbdist.categories.targets import target_classes
from gbdist.errors import DataError

from ..conftest import CategoricalTable, make_table, on_ranks


def classes_on_ranks(
    table: CategoricalTable, rules: CategoryRules, n_ranks: int, n_classes: int = 1, empty: tuple[int, ...] = ()
) -> tuple[np.ndarray, int]:
    def work(rows: Rows, collective: Collective) -> tuple[np.ndarray, int]:
        return target_classes(rows, n_classes, rules, 5, collective)

    ranks = on_ranks(table.cut(n_ranks, empty), work)
    assert len({count for _, count in ranks}) == 1
    assert all(classes.dtype == np.uint8 for classes, _ in ranks)
    return np.concatenate([classes for classes, _ in ranks]), ranks[0][1]


def labelled(label: np.ndarray) -> CategoricalTable:
    table = make_table(label.shape[0], sizes=(2,))
    table.rows.label[:] = label
    return table


@pytest.mark.parametrize("count", [1, 4, 254])
@pytest.mark.parametrize("kind", ["MinEntropy", "Uniform", "GreedyLogSum"])
@pytest.mark.parametrize("n_ranks", [1, 3])
def test_ranges_are_those_of_catboosts_borders(count: int, kind: str, n_ranks: int) -> None:
    table = make_table(900, classes=0)
    label = table.rows.label
    borders = np.asarray(calculate_quantization_grid(np.sort(label), count, kind), np.float32)
    assert len(borders) == count
    classes, found = classes_on_ranks(
        table,
        table.rules(target_border_count=count, target_border_type=kind),
        n_ranks,
        empty=(1,) if n_ranks > 1 else (),
    )
    assert found == count + 1
    expected = (label[:, np.newaxis] > borders).sum(axis=1)  # CatBoost's target_classifier.cpp
    assert np.array_equal(classes, expected)


def test_a_label_that_is_a_border_is_below_it() -> None:
    label = np.repeat(np.arange(4, dtype=np.float32), 25)
    table = labelled(label)
    (border,) = calculate_quantization_grid(label, 1, "MinEntropy")
    assert border == 1.5
    classes, _ = classes_on_ranks(table, table.rules(), 1)
    assert classes.tolist() == [0] * 50 + [1] * 50
    table.rows.label[0] = 1.5
    assert classes_on_ranks(table, table.rules(), 1)[0][0] == 0


def test_classes_of_a_binary_classifier_are_its_own() -> None:
    table = make_table(300, classes=2)
    table.rows.label[:] = np.random.default_rng(0).random(300) < 0.01  # hardly any is of class 1
    for n_classes in (1, 2):  # Logloss has one raw value a row, MultiClass two
        classes, found = classes_on_ranks(table, table.rules(), 2, n_classes)
        assert found == 2
        assert np.array_equal(classes, table.rows.label)


def test_classes_of_a_classifier_of_several_are_its_own_whatever_the_borders() -> None:
    table = make_table(300, classes=5)
    classes, found = classes_on_ranks(table, table.rules(target_border_count=2), 3, 5)
    assert found == 5
    assert np.array_equal(classes, table.rows.label)


def test_a_constant_target_is_one_class() -> None:
    table = labelled(np.full(50, 7.0))
    classes, found = classes_on_ranks(table, table.rules(), 3)
    assert found == 1
    assert not classes.any()


def test_borders_of_many_rows_are_those_of_a_sample_that_ranks_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_SAMPLED", 400)
    table = make_table(4_000, classes=0)
    rules = table.rules(target_border_count=3)
    alone, found = classes_on_ranks(table, rules, 1)
    assert found == 4
    sampled = []

    def borders_of(sample: np.ndarray, count: int, kind: str) -> np.ndarray:
        sampled.append(sample)
        return calculate_quantization_grid(sample, count, kind)

    monkeypatch.setattr(targets, "calculate_quantization_grid", borders_of)
    assert np.array_equal(classes_on_ranks(table, rules, 3, empty=(2,))[0], alone)
    assert len(sampled) == 3
    assert all(np.array_equal(one, sampled[0]) for one in sampled)
    assert 300 < len(sampled[0]) < 500
    assert abs(sampled[0].mean() - table.rows.label.mean()) < 0.2 * table.rows.label.std()


def test_partitions_of_a_rank_do_not_change_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_SAMPLED", 100)
    table = make_table(1_000, classes=0)
    rules = table.rules(target_border_count=3)
    alone, _ = classes_on_ranks(table, rules, 1)
    cut = replace(table.rows, segments=(Segment(0, 400, 0), Segment(400, 1_000, 400)))
    assert np.array_equal(classes_on_ranks(replace(table, rows=cut), rules, 1)[0], alone)


def test_more_classes_than_a_byte_holds_are_refused() -> None:
    table = make_table(600, sizes=(4, 20))
    table.rows.label[:] = np.arange(600) % 256
    classes, found = classes_on_ranks(table, table.rules(one_hot=[0]), 1, 256)
    assert found == 256
    assert np.array_equal(classes, table.rows.label)
    with pytest.raises(DataError) as caught:
        classes_on_ranks(table, table.rules(one_hot=[0]), 1, 257)
    assert str(caught.value) == (
        "y: found 257 classes, expected at most 256 where categorical columns become target statistics, as 'c1' does. "
        "Join rare classes, leave such columns out of cat_features, or raise one_hot_max_size to their numbers of values."
    )

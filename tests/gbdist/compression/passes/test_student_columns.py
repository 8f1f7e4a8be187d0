"""Columns that students are grown on, against the teacher's own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gbdist.compression.passes.columns import columns_of
from gbdist.compression.passes.outputs import leaves_of
from gbdist.compression.passes.student_columns import features_of, student_columns, translated
from gbdist.models.tree import ObliviousTree, TreeSplit

from ..conftest import data_of, rows_of


def test_columns_have_what_the_trees_test_and_nothing_else(make_categorical: Callable[..., Any]) -> None:
    ensemble = make_categorical(depths=(3,) * 5).ensemble
    columns = student_columns(ensemble, columns_of(ensemble))
    splits = [split for column in columns for split in column.splits]
    assert len(splits) == len(set(splits))
    assert set(splits) == {split for tree in ensemble.trees for split in tree.splits}
    assert features_of(columns) == tuple(sorted({split.feature for split in splits}))


def test_a_tree_on_the_columns_has_the_leaves_of_its_translation(make_categorical: Callable[..., Any]) -> None:
    case = make_categorical(2)
    data = data_of(case.ensemble, rows_of(case.ensemble, case.features, np.zeros(1000, np.float32), case.hashes))
    columns = student_columns(case.ensemble, data.columns)
    bins = np.stack([column.bin_of[data.rows.bins[column.feature]] for column in columns])
    assert bins.dtype == data.columns.dtype
    one_hot = [at for at, column in enumerate(columns) if data.columns.is_one_hot[column.feature]]
    assert one_hot
    for at, column in enumerate(columns):
        for border in range(len(column.splits)):
            splits = (TreeSplit(at, border), TreeSplit(one_hot[0], 0))
            expected = (bins[at] > border) + 2 * (bins[one_hot[0]] > 0)
            assert leaves_of(translated(ObliviousTree(splits), columns), data).tolist() == expected.tolist()


def test_an_ensemble_without_splits_has_no_columns(make_categorical: Callable[..., Any]) -> None:
    ensemble = make_categorical(depths=(0, 0)).ensemble
    assert student_columns(ensemble, columns_of(ensemble)) == ()
    assert student_columns(replace(ensemble, trees=()), columns_of(ensemble)) == ()

"""Families of pipelines apply to the models that they are for, and larger steps leave larger models."""

from collections.abc import Callable
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.compression.candidates import Family, families_for
from gbdist.compression.data import CompressionData, compression_data
from gbdist.compression.passes import Distil, MergeTrees, PruneTables, ReduceDepth, Refit, Reweight
from gbdist.compression.passes.tables import bytes_of_tables
from gbdist.compression.pipeline import CompressionPipeline
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble

from .tables import fitted, make_frame

#: Rows to choose by.
MANY = 5_000
RNG = np.random.default_rng(2)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = X[:, 0] + X[:, 1] * X[:, 2]


def trained(**params: Any) -> Ensemble:
    given = {"iterations": 12, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1, **params}
    return from_catboost(catboost.CatBoostRegressor(**given).fit(X, Y))


def leaves(ensemble: Ensemble) -> int:
    return sum(tree.n_leaves for tree in ensemble.trees)


def made(family: Family, step: int, data: CompressionData) -> Ensemble:
    return CompressionPipeline(family.passes(step)).apply(data.ensemble, data).ensemble


@pytest.mark.parametrize("params", [{}, {"grow_policy": "Lossguide", "max_leaves": 6}])
def test_every_family_applies_and_its_step_is_about_its_share(params: dict[str, Any]) -> None:
    ensemble = trained(**params)
    with compression_data(X, Y, model=ensemble) as data:
        for family in families_for(ensemble, MANY):
            if family.most == 1:
                continue
            small, large = (leaves(made(family, family.step(share), data)) for share in (0.3, 0.8))
            assert small < large <= leaves(ensemble), family.name
            assert small < 0.5 * leaves(ensemble), family.name


def test_tables_of_categories_are_pruned_where_there_are_some() -> None:
    frame = make_frame(500)
    ensemble = from_catboost(fitted(frame, iterations=20))
    (family,) = [one for one in families_for(ensemble, MANY) if one.name == "reweight, tables"]
    assert "reweight, tables" not in [one.name for one in families_for(trained(), MANY)]
    with compression_data(frame.drop(columns="w"), "y", model=ensemble) as data:
        few = made(family, 15, data)
    assert sum(bytes_of_tables(few).values()) < sum(bytes_of_tables(ensemble).values())


def test_pipelines_of_own_trees_by_name() -> None:
    ensemble = from_catboost(fitted(make_frame(500), iterations=20))
    by_name = {family.name: family.passes(7) for family in families_for(ensemble, MANY)}
    few, fewer = PruneTables(share=0.1), PruneTables(share=0.05)
    to_teacher, to_labels = Refit(steps=5), Refit("labels", steps=4, l2=3_000.0)
    by_labels = Reweight(trees=7, towards="labels", ridge=1.0)
    assert by_name["reweight by labels"] == (by_labels,)
    assert by_name["tables, reweight by labels"] == (fewer, by_labels)
    assert by_name["reweight, labels"] == (Reweight(trees=7), to_teacher, to_labels)
    assert by_name["reweight, tables, labels"] == (Reweight(trees=7), few, to_teacher, to_labels)


def test_no_family_leaves_more_trees_than_a_choice_of_them_can() -> None:
    ensemble = trained(iterations=4)
    (family,) = [one for one in families_for(ensemble, MANY) if one.name == "reweight, distil"]
    assert (family.most, family.whole) == (3, 4)


def names(ensemble: Ensemble) -> set[str]:
    return {family.name for family in families_for(ensemble, MANY)}


def test_tables_are_pruned_where_trees_ask_for_some(
    make_categorical: Callable[..., Any], make_ensemble: Callable[..., Any]
) -> None:
    ensemble = make_categorical().ensemble
    assert names(ensemble) - names(make_ensemble([3] * 4)) == {
        "tables, depth",
        "reweight, tables",
        "reweight, tables, labels",
        "tables, reweight by labels",
    }
    assert names(make_ensemble([3] * 4)) - names(ensemble) == {"distil, reweight", "distil, shallower"}
    (family,) = (family for family in families_for(ensemble, MANY) if family.name == "tables, depth")
    assert family.passes(25) == (PruneTables(share=0.1), ReduceDepth(share=0.25), MergeTrees())


def test_models_of_one_tree_and_of_stumps_have_families_that_apply() -> None:
    for params in ({"iterations": 1}, {"depth": 1}):
        ensemble = trained(**params)
        names = [family.name for family in families_for(ensemble, MANY)]
        assert len(set(names)) == len(names)
        assert ("reweight" in names) == (len(ensemble.trees) > 1)
        assert ("distil, shallower" in names) == (ensemble.trees[0].n_leaves > 2)
        with compression_data(X, Y, model=ensemble) as data:
            for family in families_for(ensemble, MANY):
                if family.name != "depth":  # which has too little to take away, and says so
                    made(family, 1, data)


def test_nothing_aims_at_labels_where_few_rows_are_to_choose_by() -> None:
    ensemble = trained()
    few, many = ([one.name for one in families_for(ensemble, rows)] for rows in (1_999, 2_000))
    assert set(many) - set(few) == {"reweight by labels", "reweight, labels"}


def test_only_students_are_grown() -> None:
    for family in families_for(trained(), MANY):
        assert family.is_grown == any(isinstance(one, Distil) for one in family.passes(2)), family.name


def test_steps_stay_within_a_family() -> None:
    family = Family("any", lambda step: (), 9, 20)
    assert [family.step(share) for share in (0.0, 0.25, 0.45, 1.0)] == [1, 5, 9, 9]


@pytest.mark.parametrize("depth", [1, 2])
def test_trees_of_few_leaves_are_made_shallower_by_as_much_as_they_can_be(depth: int) -> None:
    ensemble = trained(depth=depth)
    (family,) = [one for one in families_for(ensemble, 300) if one.name == "depth"]
    for step in range(1, family.most + 1):
        CompressionPipeline(family.passes(step)).apply(ensemble)

"""Trees that are drawn are the model's: rows that go through them end where CatBoost says, with CatBoost's values."""

from collections.abc import Callable
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.report import trees as drawn
from gbdist.report.subject import Subject
from gbdist.report.tree_drawing import draw, trees_section
from gbdist.report.trees import Node, cut, first_trees, leaves

DEPTHWISE = {"grow_policy": "Depthwise", "max_ctr_complexity": 1}
LOSSGUIDE = {"grow_policy": "Lossguide", "max_leaves": 6}


def value_of(node: Node, row: dict[str, Any]) -> np.ndarray:
    """Send a row through a tree of tests on numbers and single categories."""
    while node.children:
        name, test = node.test.split(" > ") if " > " in node.test else node.test.split(" is ")
        value = row[name]
        said = value > float(test) if " > " in node.test else repr(value) == test
        node = node.children[int(said)]
    assert node.values is not None
    return node.values


@pytest.mark.parametrize("given", [{}, DEPTHWISE, LOSSGUIDE], ids=["symmetric", "depthwise", "lossguide"])
@pytest.mark.parametrize("kind", ["numbers", "several"])
def test_rows_end_in_catboosts_leaves(case: Callable[..., Any], kind: str, given: dict[str, Any]) -> None:
    found = case(kind, **given)
    trees = first_trees(found.model, 2, None)
    assert len(trees) == 2
    scale, bias = found.model.get_scale_and_bias()
    raw = found.model.predict(found.features, prediction_type="RawFormulaVal", ntree_end=2).reshape(200, -1)
    filled = found.features.fillna(-1e30)  # as nan_mode="Min" reads gaps
    mine = [sum(value_of(tree, row) for tree in trees) * scale + bias for row in filled.to_dict("records")]
    # Borders are shown with five figures, so a row beside one may go the other way.
    assert np.mean([np.allclose(a, b, atol=1e-9) for a, b in zip(mine, raw, strict=True)]) > 0.97
    weights = [leaf.weight for leaf in leaves(trees[0])]
    assert sum(weights) == 400  # rows trained on
    if kind == "numbers":  # CatBoost 1.2 does not give out those of several classes
        assert sorted(weights) == pytest.approx(sorted(found.model.get_leaf_weights()[: len(weights)]))


def test_single_categories_have_names_where_rows_are_given(case: Callable[..., Any]) -> None:
    found = case("numbers", True, one_hot_max_size=3, max_ctr_complexity=1)
    pools = {"named": found.pool(), "numbered": None}
    tests = {
        name: {test for tree in first_trees(found.model, 25, pool) for test in drawn.tests_of(tree)}
        for name, pool in pools.items()
    }
    of_shop = {name: {test for test in found if test.startswith("shop is ")} for name, found in tests.items()}
    assert of_shop["named"] <= {"shop is 'north'", "shop is 'south'", "shop is 'east'"}
    assert of_shop["named"]
    assert all(test.startswith("shop is category no. ") for test in of_shop["numbered"])
    assert any(test.startswith("target of city > ") for test in tests["named"])
    note = trees_section(found.subject(rows=False)).notes[-1]
    assert note == (
        "The file keeps numbers in place of the names of single categories. "
        "Run: gbdist report m.cbm --data DATA --target COLUMN"
    )
    assert trees_section(found.subject()).notes == ()


def test_combinations_and_frequencies_are_named() -> None:
    pairs = np.array([(a, b) for a in "pqr" for b in "stu"] * 60, dtype=object)
    either = ((pairs[:, 0] == "p") ^ (pairs[:, 1] == "s")).astype(int)
    few: dict[str, Any] = {
        "one_hot_max_size": 1,
        "max_ctr_complexity": 2,
        "verbose": False,
        "allow_writing_files": False,
    }
    pool = catboost.Pool(pairs, either, cat_features=[0, 1], feature_names=["shop", "city"])
    model = catboost.CatBoostClassifier(iterations=20, depth=2, **few).fit(pool)
    tests = {test for tree in first_trees(model, 20, None) for test in drawn.tests_of(tree)}
    assert any(test.startswith("target of shop and city > ") for test in tests)
    (note,) = trees_section(Subject(model, "m", None, None, "")).notes
    assert note.startswith(
        "“target of city” stands for CatBoost's statistic of the target in the rows of a category of city"
    )
    uneven = np.array([["p"]] * 300 + [["q"]] * 100, dtype=object)
    pool = catboost.Pool(uneven, uneven[:, 0] == "p", cat_features=[0], feature_names=["shop"])
    model = catboost.CatBoostClassifier(iterations=1, simple_ctr="Counter", **few).fit(pool)
    assert first_trees(model, 1, None)[0].test.startswith("frequency of shop > ")


def leaf(value: float, weight: float) -> Node:
    return Node(values=np.array([value]), weight=weight)


def test_deep_trees_are_cut_and_leaves_stand_for_what_was_below() -> None:
    tree = Node("a > 1", (Node("b > 1", (leaf(1.0, 3.0), leaf(5.0, 1.0))), leaf(7.0, 2.0)))
    assert tree.depth == 2
    short = cut(tree, 1)
    assert [(each.values.tolist(), each.weight) for each in leaves(short)] == [([2.0], 4.0), ([7.0], 2.0)]
    (whole,) = leaves(cut(tree, 0))
    assert (whole.values.tolist(), whole.weight) == ([pytest.approx(22 / 6)], 6.0)
    assert [each.values.tolist() for each in leaves(cut(tree, 9))] == [[1.0], [5.0], [7.0]]
    empty = cut(Node("a > 1", (leaf(1.0, 0.0), leaf(3.0, 0.0))), 0)
    assert (empty.values.tolist(), empty.weight) == ([2.0], 0.0)


def test_drawing_has_a_mark_for_each_node_and_leaf() -> None:
    tree = Node("a > 1", (Node("b > 1", (leaf(-1.0, 3.0), leaf(5.0, 1.0))), leaf(0.0, 2.0)))
    plot = draw(tree, ("",))
    kinds = [type(each.glyph).__name__ for each in plot.renderers]
    lines, tests, marks = (
        plot.renderers[kinds.index(kind) + more].data_source.data
        for kind, more in (
            ("Segment", 0),
            ("Scatter", 0),
            ("Scatter", kinds[kinds.index("Scatter") + 1 :].index("Scatter") + 1),
        )
    )
    assert len(lines["x0"]) == 4
    assert sorted(tests["test"]) == ["a > 1", "b > 1"]
    assert marks["value"] == ["-1", "+5", "+0"]
    assert marks["color"] == ["#d5e2f8", "#d6336c", "#ffffff"]  # a fifth of blue, all of red, nothing
    assert marks["path"] == ["not a > 1; not b > 1", "not a > 1; b > 1", "a > 1"]
    assert marks["rows"] == ["3 (50.0%)", "1 (16.7%)", "2 (33.3%)"]


def test_tree_of_one_leaf_is_drawn() -> None:
    plot = draw(leaf(1.5, 10.0), ("",))
    assert plot.renderers[-2].data_source.data["value"] == ["+1.5"]


def test_models_with_texts_have_no_trees_to_draw() -> None:
    texts = np.array([[word] for word in ["good day", "bad day", "good night", "bad night"] * 30], dtype=object)
    pool = catboost.Pool(texts, [1, 0, 1, 0] * 30, text_features=[0])
    model = catboost.CatBoostClassifier(iterations=2, verbose=False, allow_writing_files=False).fit(pool)
    assert first_trees(model, 3, None) == "CatBoost does not describe trees of models with text or embedding features."

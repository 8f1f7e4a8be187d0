"""Splits are counted for the columns that they test; CatBoost's own descriptions of splits are the twin."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.models.split_counts import split_counts


@pytest.fixture(scope="module")
def pool() -> Any:
    draw = np.random.default_rng(1)
    n = 600
    table = pd.DataFrame(
        {
            "small": draw.choice(["r", "g", "b"], n),
            "x": draw.normal(size=n),
            "wide": draw.integers(0, 30, n).astype(str),
            "unused": np.zeros(n),
            "z": draw.normal(size=n),
            "wider": draw.integers(0, 40, n).astype(str),
        }
    )
    effects = draw.normal(size=(30, 40))[table["wide"].astype(int), table["wider"].astype(int)]
    label = table["x"] + (table["small"] == "r") * (table["z"] > 0) + effects + table["wide"].astype(int) % 3
    return catboost.Pool(table, label, cat_features=["small", "wide", "wider"])


def described(model: Any, pool: Any) -> dict[str, Counter[str]]:
    """What CatBoost says of each split: "x, bin=0.5", "small, value=r" or "{wide} counter_type=Borders …"."""
    found: dict[str, Counter[str]] = {}
    for tree in range(model.tree_count_):
        for text in model._get_tree_splits(tree, pool):
            tested = text[: text.index("}")] if text.startswith("{") else text[: text.index(",")]
            columns = [name for name in pool.get_feature_names() if re.search(rf"\b{name}\b", tested)]
            how = "one-hot" if ", value=" in text else "number"
            if text.startswith("{"):
                how = "statistic" if len(columns) == 1 else "combination"
            for column in columns:
                found.setdefault(column, Counter())[how] += 1
    return found


@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
def test_counts_are_those_of_catboosts_descriptions(pool: Any, policy: str, tmp_path: Path) -> None:
    model = catboost.CatBoostRegressor(
        iterations=30, depth=5, one_hot_max_size=3, max_ctr_complexity=2, random_seed=0, verbose=False,
        allow_writing_files=False, thread_count=1, grow_policy=policy,
    )  # fmt: skip
    model.fit(pool)
    found = split_counts(model)
    model.save_model(str(tmp_path / "m.json"), "json", pool=pool)
    expected = described(model.load_model(str(tmp_path / "m.json"), "json"), pool)
    if policy == "Lossguide":  # once read, leaves are nodes too, which CatBoost describes by its first split
        expected["x"]["number"] -= int(model.get_tree_leaf_counts().sum())
    assert found == expected
    combined = {"combination"} if policy == "SymmetricTree" else set()
    assert {how for counts in found.values() for how in counts} == {"number", "one-hot", "statistic"} | combined

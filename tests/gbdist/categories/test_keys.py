"""Keys of categories are those that CatBoost looks up."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import catboost
import numpy as np
import pandas as pd

from gbdist.categories.keys import hashes_of_keys, projection_keys


def test_every_category_of_a_model_that_catboost_trained_has_the_key_of_its_table(
    catboost_hashes: Callable[[Sequence[str]], np.ndarray], tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    n_rows = 3000
    rows = pd.DataFrame(
        {
            "x": generator.normal(size=n_rows).astype(np.float32),
            "many": [f"v{i}" for i in generator.integers(0, 30, n_rows)],
            "few": [f"w{i}" for i in generator.integers(0, 3, n_rows)],
            "some": [f"s{i}" for i in generator.integers(0, 8, n_rows)],
        }
    )
    effect = {value: generator.normal() for value in rows["many"].unique()}
    target = rows["many"].map(effect) * (rows["few"] == "w1") + rows["x"] * (rows["some"] == "s3")
    model = catboost.CatBoostRegressor(
        iterations=40, one_hot_max_size=3, max_ctr_complexity=4, verbose=0, allow_writing_files=False
    ).fit(rows, target, cat_features=["many", "few", "some"])
    model.save_model(str(tmp_path / "m.json"), format="json")
    hashes = [catboost_hashes(rows[name]) for name in ("many", "few", "some")]
    assert any((column >> 31).any() for column in hashes)  # as int32 they are negative

    seen = set()
    for name, table in json.loads((tmp_path / "m.json").read_text())["ctr_data"].items():
        elements = json.loads(name)["identifier"]
        cats = [hashes[e["cat_feature_index"]] for e in elements if e["combination_element"] == "cat_feature_value"]
        outcomes = [
            rows["x"].to_numpy() > np.float32(e["border"])
            for e in elements
            if e["combination_element"] == "float_feature"
        ]
        equal = [e for e in elements if e["combination_element"] == "cat_feature_exact_value"]
        outcomes += [hashes[e["cat_feature_index"]].view(np.int32) == e["value"] for e in equal]
        written = {int(key) for key in table["hash_map"][:: table["hash_stride"]]} - {2**64 - 1}  # that of no category
        assert set(projection_keys(cats, outcomes).tolist()) == written
        seen.add((len(cats), len(outcomes) > len(equal), len(equal) > 0))
    assert {(1, False, False), (2, False, False), (1, True, False), (1, False, True)} <= seen


def test_a_key_of_one_column_tells_the_hash() -> None:
    hashes = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 123456789], dtype=np.uint32)
    np.testing.assert_array_equal(hashes_of_keys(projection_keys([hashes])), hashes)
    assert hashes_of_keys(np.empty(0, dtype=np.uint64)).tolist() == []

"""CatBoost's hashes of strings, by its own hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import catboost
import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def catboost_hashes(tmp_path: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """Hashes of strings, uint32 [n]: CatBoost writes those of a pool into a JSON model that it saves with it."""

    def hashes(strings: Sequence[str]) -> np.ndarray:
        column = pd.DataFrame({"c": pd.Series(list(strings), dtype=object)})
        pool = catboost.Pool(column, np.arange(len(column)) % 2, cat_features=[0])
        model = catboost.CatBoostRegressor(iterations=1, verbose=0, allow_writing_files=False).fit(pool)
        model.save_model(str(tmp_path / "hashes.json"), format="json", pool=pool)
        written = json.loads((tmp_path / "hashes.json").read_text())["features_info"]["cat_features_hash"]
        known = {each["value"]: each["hash"] for each in written}
        return np.array([known[string] for string in strings], dtype=np.uint32)

    return hashes

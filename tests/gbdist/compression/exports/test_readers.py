"""Reading an exported file runs nothing that a model's texts say."""

import os
from pathlib import Path

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.compression.exports import export_model

from .conftest import QUIET


@pytest.mark.parametrize("format_", ["python", "cpp"])
@pytest.mark.parametrize("end", ['"', "'", '\\"', '"""', "\\"])
def test_texts_of_categories_stay_texts(tmp_path: Path, format_: str, end: str) -> None:
    told = tmp_path / "told"
    text = f"{end}: 0}};\nopen({str(told)!r}, 'w')\n#"
    table = pd.DataFrame({"c": np.resize(["a", text, "b"], 60), "x": np.arange(60) % 7})
    model = catboost.CatBoostRegressor(**QUIET, one_hot_max_size=5)
    model.fit(table, np.where(table["c"] == text, 9.0, table["x"]), cat_features=["c"])
    done = export_model(model, tmp_path / "m", format_, rows=table)
    assert done.rows_checked > 0
    assert "open(" in done.path.read_text()
    assert os.listdir(tmp_path) == ["m"]

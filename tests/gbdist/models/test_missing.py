"""A model remembers what stands for missing values, in its file too."""

from pathlib import Path

import catboost
import numpy as np

from gbdist.models.missing import cat_nan_of, note_cat_nan


def test_text_is_kept_in_the_file(tmp_path: Path) -> None:
    model = catboost.CatBoostRegressor(iterations=1, verbose=False, allow_writing_files=False, thread_count=1)
    model.fit(np.arange(20.0)[:, None], np.arange(20.0))
    note_cat_nan(model, None)
    assert cat_nan_of(model) is None
    for text in ("", "no value: é"):
        note_cat_nan(model, text)
        model.save_model(tmp_path / "model.cbm")
        assert cat_nan_of(catboost.CatBoost().load_model(tmp_path / "model.cbm")) == text

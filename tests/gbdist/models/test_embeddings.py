"""How long vectors are is written into the model, and stays in its file."""

import catboost
import numpy as np

from gbdist.models.catboost_format import cbm_bytes, read_cbm
from gbdist.models.embeddings import embedding_dimensions, note_dimensions


def test_dimensions_stay_in_the_file() -> None:
    model = catboost.CatBoost({"iterations": 1, "verbose": False, "allow_writing_files": False})
    model.fit(np.arange(10.0)[:, None], np.arange(10.0))
    assert embedding_dimensions(model) == {}
    note_dimensions(model, {})
    assert embedding_dimensions(model) == {}
    note_dimensions(model, {3: 16, 1: 4})
    assert embedding_dimensions(read_cbm(cbm_bytes(model))) == {1: 4, 3: 16}

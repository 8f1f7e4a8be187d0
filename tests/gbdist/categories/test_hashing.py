"""Hashes of categories are those that CatBoost writes into its models."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import catboost
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gbdist.categories.hashing import category_hashes, texts_of_hashes

ONE_SPLIT = {
    "model_info": {},
    "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [0, 0], "leaf_weights": [0, 0]}],
    "features_info": {
        "categorical_features": [
            {"feature_index": 0, "flat_feature_index": 0, "feature_id": "c", "values": [0], "string_values": []}
        ]
    },
    "scale_and_bias": [1, [0]],
}


@cache
def model() -> catboost.CatBoost:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(json.dumps(ONE_SPLIT))
        return catboost.CatBoost().load_model(str(path), format="json")


def catboosts_own(texts: list[str]) -> dict[str, int]:
    """Hashes of texts; of several with the same hash CatBoost tells one."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.json")
        pool = catboost.Pool(pd.DataFrame({"c": np.array(texts, dtype=object)}), cat_features=[0])
        model().save_model(path, format="json", pool=pool)
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
    return {each["value"]: each["hash"] for each in saved["features_info"]["cat_features_hash"]}


def assert_catboosts_own(texts: list[str]) -> None:
    found = category_hashes(texts)
    assert found.dtype == np.uint32
    mine = dict(zip(texts, found.tolist(), strict=True))
    own = catboosts_own(texts)
    assert len(own) > 0.99 * len(texts)
    assert {text: mine[text] for text in own} == own


NUMBERS = st.one_of(
    st.integers(0, 2**64 + 5).map(str),
    st.integers(-(2**64), 10**25).map(str),
    st.from_regex(r"[+-]?0{0,3}[0-9]{1,22}", fullmatch=True),
    st.text("0123456789", min_size=1, max_size=24),
)
WORDS = st.text(st.characters(codec="utf-8"), max_size=200)
ODD = st.sampled_from(
    ["", " ", "nan", "NaN", "None", "1.0", "1e5", " 12", "12 ", "\x00", "a\x00", "٣", "१२", "inf", "x" * 5_000]
)


@settings(deadline=None)
@given(st.lists(st.one_of(NUMBERS, WORDS, ODD), min_size=1, unique=True))
@example([str(10**digits) for digits in range(21)])
@example([str(2**64 - 1), str(2**64), str(2**63), str(-(2**63)), "0", "-0", "00", "007", "+7"])
def test_hashes_are_catboosts_own(texts: list[str]) -> None:
    assert_catboosts_own(texts)


@pytest.mark.parametrize("prefix", ["", "-", "id "])
def test_many_values_at_once(prefix: str) -> None:
    numbers = np.random.default_rng(3).integers(0, 10**12, 20_000).tolist()
    assert_catboosts_own(list(dict.fromkeys(f"{prefix}{each}" for each in [*range(3_000), *numbers])))


def test_values_that_come_back() -> None:
    texts = ["b", "12", "a", "b", "12", "12", "c", "b"]
    own = catboosts_own(sorted(set(texts)))
    assert category_hashes(texts).tolist() == [own[text] for text in texts]


def test_no_value() -> None:
    assert category_hashes([]).tolist() == []
    assert category_hashes([]).dtype == np.uint32


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
@example([0, 2**32 - 1, 0])
def test_texts_that_stand_for_hashes_have_them(hashes: list[int]) -> None:
    texts = texts_of_hashes(np.array(hashes, np.uint32))
    assert category_hashes(texts).tolist() == hashes
    assert all(text.isascii() and "\0" not in text for text in texts)
    assert len(set(texts)) == len(set(hashes))  # one hash, one text


def test_catboost_hashes_texts_that_stand_for_hashes_alike() -> None:
    hashes = np.random.default_rng(2).integers(0, 2**32, 500, dtype=np.uint32)
    hash_of = dict(zip(texts_of_hashes(hashes), hashes.tolist(), strict=True))
    own = catboosts_own(list(hash_of))
    assert len(own) > 490
    assert own == {text: hash_of[text] for text in own}


def test_no_hash_needs_no_text() -> None:
    assert texts_of_hashes(np.empty(0, np.uint32)) == []

"""Job files are read as they were written."""

import tomllib
from pathlib import Path

import pytest

from gbdist.jobs.settings import write_settings


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    settings = {
        "data": ["a b.parquet", 'it\'s "quoted"\\', "tab\tend\nsign\x7f", "ä😀"],
        "folds": 5,
        "shuffle": False,
        "params": {
            "learning_rate": 0.1 + 0.2,
            "l2_leaf_reg": 1e-07,
            "class weights": {"yes": 2, "no more": 0.5},
            "custom_metric": ["AUC", "F1"],
            "monotone_constraints": [[1, -1], []],
        },
        "verbose": 3,
    }
    write_settings(tmp_path / "job.toml", settings)
    assert tomllib.loads((tmp_path / "job.toml").read_text()) == settings


def test_what_toml_does_not_have_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^TOML has no object$"):
        write_settings(tmp_path / "job.toml", {"params": {"loss_function": object()}})
    assert list(tmp_path.iterdir()) == []

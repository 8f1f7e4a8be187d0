"""A job file gives the options of a command; a mistake in it is named with its line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbdist_cli.config import TRAIN, ConfigError, merge, read_config
from gbdist_cli.params import parse_columns, parse_params


def test_a_full_job_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(
        'data = "a.parquet"\ntarget = "y"\ncat = "a, b"\nworkers = 2\n[params]\ndepth = 8\nloss_function = "RMSE"\n'
    )
    assert read_config(path, TRAIN) == {
        "data": ["a.parquet"],
        "target": ["y"],
        "cat": ["a, b"],
        "workers": 2,
        "params": {"depth": 8, "loss_function": "RMSE"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('data = "a"\n\ntraget = "y"\n', "{path}:3: unknown key 'traget'. Did you mean 'target'?"),
        ('cat_nan = "none"\n', "{path}:1: unknown key 'cat_nan'. Did you mean 'cat-nan'?"),
        ("[prams]\ndepth = 3\n", "{path}:1: unknown key 'prams'. Did you mean 'params'?"),
        (
            "iterations = 3\n",
            "{path}:1: unknown key 'iterations'. Known keys: data, target, weight, group, ignore, cat, cat-nan, task, "
            "workers, threads, scheduler, tls, params, eval, output, snapshot, profile; CatBoost's parameters go under [params].",
        ),
        ('workers = "2"\n', "{path}:1: workers = '2' cannot be used. Expected a whole number."),
        ("workers = true\n", "{path}:1: workers = True cannot be used. Expected a whole number."),
    ],
)
def test_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "job.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path, TRAIN)
    assert str(caught.value) == message.format(path=path)


def test_what_is_not_toml_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text("workers = 2\ntarget = price\n")
    with pytest.raises(ConfigError, match=f"^{path}:2: is not TOML"):
        read_config(path, TRAIN)


def test_missing_job_file_ends_with_the_code_for_usage(run: Callable[..., Any]) -> None:
    ran = run("train", "--config", "no.toml")
    assert ran.code == 2
    assert ran.stderr.splitlines()[0] == (
        "Error: no.toml: cannot be read (No such file or directory). Check the name after --config."
    )


def test_what_is_typed_wins_over_the_file() -> None:
    config = {"data": ["a"], "target": "y", "workers": 2, "params": {"depth": 8, "rsm": 0.5}}
    typed = {"data": None, "target": "z", "workers": None, "params": {"depth": 4}}
    assert merge(config, typed) == {
        "data": ["a"],
        "target": "z",
        "workers": 2,
        "params": {"depth": 4, "rsm": 0.5},
    }


def test_values_of_parameters_are_json_python_words_or_text() -> None:
    pairs = ["depth=8", "learning_rate=1e-2", "use_best_model=True", "boost_from_average=false", "subsample=None"]
    pairs += ["loss_function=RMSE", "class_weights=[1, 2.5]", "eval_metric=AUC:hints=skip_train~false", "depth=4"]
    assert parse_params(pairs) == {
        "depth": 4,
        "learning_rate": 0.01,
        "use_best_model": True,
        "boost_from_average": False,
        "subsample": None,
        "loss_function": "RMSE",
        "class_weights": [1, 2.5],
        "eval_metric": "AUC:hints=skip_train~false",
    }


def test_lists_of_columns_have_commas_between() -> None:
    assert parse_columns(["shop, city", "code", "shop"]) == ["shop", "city", "code"]
    assert parse_columns([]) == []

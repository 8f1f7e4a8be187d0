"""What can be typed and what a job file may say are the same options."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gbdist_cli.config import CV, TRAIN, TUNE, Rule
from gbdist_cli.cv import cv
from gbdist_cli.train import train
from gbdist_cli.tune import tune

#: Of these a job file says nothing: where it is itself, how a command talks, and whether it is to try alone.
TYPED_ALONE = {"config", "as_json", "debug", "dry_run"}


@pytest.mark.parametrize(("command", "keys"), [(train, TRAIN), (cv, CV), (tune, TUNE)])
def test_options_of_a_command_are_keys_of_its_job_file(command: Callable[..., Any], keys: Mapping[str, Rule]) -> None:
    typed = {"params" if name == "param" else name for name in inspect.signature(command).parameters}
    assert {name.replace("_", "-") for name in typed - TYPED_ALONE} == keys.keys()

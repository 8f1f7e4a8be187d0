"""What a call says of progress takes the place of what parameters say, under all names."""

from typing import Any

import pytest

from gbdist.estimators.parameters.talk import with_talk


@pytest.mark.parametrize(
    ("given", "said", "left"),
    [
        ({"silent": True, "depth": 3}, (None, None), {"silent": True, "depth": 3}),
        ({"silent": True, "depth": 3}, (False, None), {"verbose": False, "depth": 3}),
        ({"verbose_eval": 5}, (None, "Silent"), {"logging_level": "Silent"}),
        (
            {"verbose": 5},
            (1, "Silent"),
            {"verbose": 1, "logging_level": "Silent"},
        ),  # refused where parameters are checked
    ],
)
def test_what_a_call_says_wins(given: dict[str, Any], said: tuple[Any, Any], left: dict[str, Any]) -> None:
    before = dict(given)
    assert with_talk(given, *said) == left
    assert given == before

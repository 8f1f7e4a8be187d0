"""A plan that cannot be carried out is refused when it is written, with what there is instead."""

import pytest

from .moments import MOMENTS
from .plan import WHATS, Fault, PlanError, check_plan


def test_moment_that_is_not_known() -> None:
    with pytest.raises(PlanError) as refused:
        Fault("kill", "allreduce")
    assert str(refused.value) == f"moment 'allreduce' is not known; these are: {', '.join(MOMENTS)}"


def test_fault_that_is_not_known() -> None:
    with pytest.raises(PlanError) as refused:
        Fault("murder", "all_reduce")
    assert str(refused.value) == f"fault 'murder' is not known; these are: {', '.join(WHATS)}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"what": "kill", "moment": "survey", "rank": 0}, "there is no gang yet"),
        ({"what": "kill", "moment": "quantize", "tree": 0}, "there is no gang yet"),
        ({"what": "drop", "moment": "quantize"}, "'drop' is of ranks"),
        ({"what": "corrupt", "moment": "result fetched"}, "'corrupt' is of ranks"),
        ({"what": "exit", "moment": "result fetched", "rank": 0}, "cannot 'exit' a worker"),
        ({"what": "kill", "moment": "result fetched"}, "say rank= or worker= of whom to kill"),
        ({"what": "kill", "moment": "join", "nth": 0}, "counted from 1"),
        ({"what": "kill", "moment": "join", "seconds": 1.0}, "'kill' takes no seconds"),
        ({"what": "corrupt", "moment": "join", "damage": "all"}, "these are: tag, head, end"),
    ],
)
def test_fault_that_makes_no_sense(fields: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        Fault(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [0, 1, -1])
def test_fault_that_waits_for_one_that_never_strikes(after: int) -> None:
    with pytest.raises(PlanError, match=f"fault 0 comes after fault {after}, which there is not"):
        check_plan((Fault("kill", "join", after=after),))

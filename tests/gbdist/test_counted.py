"""Words for what runs count."""

import pytest

from gbdist.counted import EPOCHS, PASSES, TREES, one_of, work_on


@pytest.mark.parametrize(
    ("counted", "one", "work"),
    [(TREES, "tree", "training on"), (EPOCHS, "epoch", "training on"), (PASSES, "pass", "compressing with")],
)
def test_a_single_one_and_what_is_done(counted: str, one: str, work: str) -> None:
    assert (one_of(counted), work_on(counted)) == (one, work)

"""Parts of the rows."""

import numpy as np
import pytest

from gbdist.compression.shares import PARTS, Shares
from gbdist.errors import ParameterError


def test_each_row_is_in_one_part_whoever_asks_about_which_rows() -> None:
    shares = Shares(0.2, 0.1)
    masks = [shares.side(part, 3).mask(0, 10_000) for part in PARTS]
    assert (np.sum(masks, axis=0) == 1).all()
    for mask, share in zip(masks, (0.7, 0.2, 0.1), strict=True):
        assert mask.mean() == pytest.approx(share, abs=0.02)
    later = [shares.side(part, 3).mask(4_000, 10) for part in PARTS]
    assert np.array_equal(later, np.array(masks)[:, 4_000:4_010])


def test_another_seed_deals_other_parts() -> None:
    one, other = (Shares().side("holdout", seed).mask(0, 1_000) for seed in (0, 1))
    assert (one != other).any()


def test_parts_without_a_share_have_no_rows() -> None:
    shares = Shares(0.0, 0.0)
    assert [shares.side(part, 0).mask(0, 500).mean() for part in PARTS] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("choice", "holdout", "words"),
    [
        (-0.1, 0.1, "choice_share=-0.1 cannot be used: expected a number from 0 to below 1. Try 0.15."),
        (0.1, 1.0, "holdout_share=1.0 cannot be used: expected a number from 0 to below 1. Try 0.15."),
        (0.5, 0.5, "holdout_share=0.5 cannot be used: expected less than 0.5, what is left. Lower one of them."),
    ],
)
def test_shares_that_leave_nothing_are_refused(choice: float, holdout: float, words: str) -> None:
    with pytest.raises(ParameterError) as refused:
        Shares(choice, holdout)
    assert str(refused.value) == words

"""How many trees are asked for, and what is refused."""

from collections.abc import Callable

import pytest

from gbdist.compression.passes.sizes import check_several, check_size, rows_given, size_of
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.models.ensemble import Ensemble

Make = Callable[..., Ensemble]


@pytest.mark.parametrize(
    ("trees", "share", "expected"), [(1, None, 1), (10, None, 10), (None, 1.0, 10), (None, 0.25, 2), (None, 0.01, 1)]
)
def test_trees_or_a_share_of_them(make_ensemble: Make, trees: int | None, share: float | None, expected: int) -> None:
    check_size(trees, share)
    assert size_of(make_ensemble([1] * 10), trees, share) == expected


@pytest.mark.parametrize(
    ("trees", "share", "message"),
    [
        (
            None,
            None,
            "trees=None cannot be used: expected either trees or share, and share=None. "
            "Say how many trees to keep by one of them.",
        ),
        (
            3,
            0.5,
            "trees=3 cannot be used: expected either trees or share, and share=0.5. Say how many trees to keep by one of them.",
        ),
        (0, None, "trees=0 cannot be used: expected a whole number, at least 1. Say how many trees to keep."),
        (2.5, None, "trees=2.5 cannot be used: expected a whole number, at least 1. Say how many trees to keep."),
        (
            None,
            0.0,
            "share=0.0 cannot be used: expected above 0 and at most 1. Say what share of the trees to keep: 0.25.",
        ),
        (
            None,
            1.5,
            "share=1.5 cannot be used: expected above 0 and at most 1. Say what share of the trees to keep: 0.25.",
        ),
    ],
)
def test_what_is_no_size_is_refused(trees: int | None, share: float | None, message: str) -> None:
    with pytest.raises(ParameterError) as error:
        check_size(trees, share)
    assert str(error.value) == message


def test_more_trees_than_there_are_cannot_be_kept(make_ensemble: Make) -> None:
    with pytest.raises(ModelError) as error:
        size_of(make_ensemble([1] * 10), 11, None)
    assert str(error.value) == (
        "trees=11 cannot be kept of a model of 10. Ask for at most 10 trees, or for a share of them."
    )


def test_a_model_of_one_tree_is_not_made_smaller(make_ensemble: Make) -> None:
    check_several(make_ensemble([1, 1]), "drop")
    with pytest.raises(ModelError) as error:
        check_several(make_ensemble([1]), "drop")
    assert str(error.value) == "drop needs a model of at least 2 trees, and this one has 1. Leave the pass drop out."


def test_a_pass_that_needs_rows_and_gets_none_says_so() -> None:
    with pytest.raises(DataError) as error:
        rows_given(None, "refit")
    assert str(error.value) == (
        "pass 'refit': found no rows, expected rows with labels. Give data, or leave the pass out."
    )

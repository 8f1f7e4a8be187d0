"""Groups of one partition: ids, facts, where a partition may be cut, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist.errors import DataError
from gbdist.quantize.groups import MOST_STARTS, GroupFacts, group_ids, group_starts, merge_groups, survey_groups


def test_integers_are_themselves_and_strings_are_hashed() -> None:
    kind, ids = group_ids(pd.Series([7, 7, -1]), "g")
    assert (kind, ids.tolist()) == ("integer", [7, 7, 2**64 - 1])
    kind, ids = group_ids(pd.Series(["b", "a", "b"]), "g")
    assert kind == "string"
    assert ids.dtype == np.uint64
    assert ids[0] == ids[2] != ids[1]
    # The hash is the same in every process: ids of a group meet across partitions.
    assert group_ids(["b"], "g")[1].tolist() == [8453121595177857668]


def test_starts() -> None:
    assert group_starts(np.array([5, 5, 2, 2, 2, 9], np.uint64)).tolist() == [0, 2, 5]
    assert group_starts(np.empty(0, np.uint64)).tolist() == []


def test_facts_are_small_however_many_groups_there_are() -> None:
    facts = survey_groups(np.arange(10_000), 0)
    assert (facts.n_rows, facts.first, facts.last) == (10_000, 0, 9_999)
    assert len(facts.starts) == MOST_STARTS
    assert (facts.starts[0], facts.starts[-1]) == (0, 9_999)
    assert max(np.diff(facts.starts)) <= 10_000 / MOST_STARTS + 4
    assert survey_groups(np.empty(0, int), 0) == GroupFacts("empty", 0, 0, 0, ())


def test_a_partition_is_not_cut_where_the_group_before_goes_on() -> None:
    parts = [[1, 1, 2], [2, 2, 3], [], [3], [4, 5]]
    facts = [(number, survey_groups(np.array(ids, int), number)) for number, ids in enumerate(parts)]
    assert merge_groups(facts) == ((0, 2), (2,), (), (), (0, 1))
    assert merge_groups([(0, None), (1, None)]) is None


REFUSALS: list[tuple[list[Any], str]] = [
    (
        ["q1", "q2", "q1"],
        "group 'q1' once more in row 2, after another one, expected the rows of a group next to each other. "
        "Sort the rows by group_id, so that the rows of a group are neighbours.",
    ),
    ([1, None], "1 missing value(s), expected a group for each row. Drop or repair those rows."),
    ([1.5, 2.5], "float values, expected integers or strings. Convert group_id to one of these."),
]


@pytest.mark.parametrize(("group", "words"), REFUSALS)
def test_what_is_no_group_is_refused(group: list[Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        survey_groups(pd.Series(group, dtype=object), 3)
    assert str(caught.value) == f"group_id of partition 3: found {words}"


def test_ids_of_two_types_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        merge_groups([(0, survey_groups([1, 2], 0)), (1, survey_groups(["a"], 1))])
    assert str(caught.value) == (
        "group_id of partition 1: found string values, expected integer as in partition 0. "
        "Give group_id the same type in every partition."
    )

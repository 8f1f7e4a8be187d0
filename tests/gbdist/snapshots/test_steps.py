"""A step comes back from its record bit for bit, and nothing else is read as a step."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.boosting.progress import Step
from gbdist.snapshots.steps import MalformedError, decode_iteration, decode_step, encode_iteration, encode_step

from .steps_made import plain_step, steps


@given(steps())
def test_a_step_comes_back_bit_for_bit(step: Step) -> None:
    back = decode_step(encode_step(step))
    assert back.tree == step.tree
    assert type(back.tree) is type(step.tree)
    assert (back.chosen, back.left_out) == (step.chosen, step.left_out)
    assert [(each, str(each.prior)) for each in back.statistics] == [
        (each, str(each.prior)) for each in step.statistics
    ]
    assert [each.tobytes() for each in back.values] == [each.tobytes() for each in step.values]
    # In their order, which is that of the history.
    assert json.dumps(back.metrics) == json.dumps(step.metrics)
    assert encode_step(back) == encode_step(step)


def test_arrays_are_the_readers_own() -> None:
    back = decode_step(encode_step(plain_step()))
    assert back.tree.leaf_values.flags.writeable
    assert back.tree.leaf_values.base is None or back.tree.leaf_values.base.flags.owndata


@given(steps(), st.data())
def test_a_record_that_is_cut_short_is_refused(step: Step, data: st.DataObject) -> None:
    record = encode_step(step)
    with pytest.raises(MalformedError):
        decode_step(record[: data.draw(st.integers(0, len(record) - 1))])


@given(steps(), st.data())
def test_a_record_that_is_altered_is_refused_or_is_another_step(step: Step, data: st.DataObject) -> None:
    # Records have no digest of their own: the file has. Whatever they say, nothing but this error comes out.
    record = bytearray(encode_step(step))
    at = data.draw(st.integers(0, len(record) - 1))
    record[at] ^= data.draw(st.integers(1, 255))
    with suppress(MalformedError):
        assert isinstance(decode_step(bytes(record)), Step)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_step(data)


def altered(**changes: Any) -> bytes:
    """The record of a plain step whose structure is another one."""
    record = encode_step(plain_step())
    length = int.from_bytes(record[:4], "little")
    structure = json.loads(record[4 : 4 + length])
    text = json.dumps({**structure, **changes}).encode()
    return len(text).to_bytes(4, "little") + text + record[4 + length :]


@pytest.mark.parametrize(
    "changes",
    [
        {"tree": {"splits": [[1, 0], [1, 1]]}},  # two levels, and leaves for one
        {"tree": {"splits": [[1, -1]]}},
        {"tree": {"splits": [[1, 0.5]]}},
        {"tree": {"splits": [[True, 0]]}},
        {"tree": {"splits": [[1, 0]] * 64}},
        {"tree": {"splits": [[1, 0]], "nodes": []}},
        {"tree": {"nodes": [[1, 0, 0, -1]]}},  # its own child
        {"tree": {"nodes": [[1, 0, -1, -1]]}},  # one leaf twice
        {"tree": {"nodes": [[1, 0, -1, 7]]}},
        {"tree": None},
        {"shapes": [[2, 1], [2], [1], [1]]},
        {"shapes": [[2, 1], [2], [1], [-1], [2]]},
        {"shapes": [[1 << 39, 1 << 39], [2], [1], [0]]},
        {"shapes": [[2], [2, 1], [1], [0]]},
        {"shapes": [[1, 2], [2], [1], [0]]},
        {"shapes": []},
        {"metrics": [["learn", ["RMSE", "MAE"]]]},
        {"metrics": [["learn", ["RMSE"]], ["learn", []]]},
        {"metrics": [["learn", []]]},
        {"metrics": [["learn", [3]]]},
        {"metrics": {}},
        {"chosen": 3},
        {"left_out": -1},
        {"left_out": True},
        {"statistics": [[[0], [], [], "Borders", 0, 15]]},  # without its prior
    ],
)
def test_a_structure_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        decode_step(altered(**changes))


def test_deep_nesting_is_refused() -> None:
    text = b"[" * 100_000
    with pytest.raises(MalformedError):
        decode_step(len(text).to_bytes(4, "little") + text)


def test_equal_steps_are_equal_records() -> None:
    values = np.arange(6.0).reshape(2, 3)
    trees = [replace(plain_step().tree, leaf_values=each) for each in (values, np.asfortranarray(values))]
    assert encode_step(replace(plain_step(), tree=trees[0])) == encode_step(replace(plain_step(), tree=trees[1]))
    assert encode_step(plain_step(3)) == encode_step(plain_step(3))
    assert encode_step(plain_step(3)) != encode_step(plain_step(4))


@given(steps(), st.integers(0, 3))
def test_the_steps_of_folds_come_back_together(step: Step, n_folds: int) -> None:
    assert encode_iteration(step) == encode_step(step)
    back = decode_iteration(encode_step(step))
    assert isinstance(back, Step)
    assert encode_step(back) == encode_step(step)
    folds = (step, plain_step(3), step)[:n_folds]
    both = decode_iteration(encode_iteration(folds))
    assert isinstance(both, tuple)
    assert [encode_step(one) for one in both] == [encode_step(one) for one in folds]


@given(st.data())
def test_records_of_folds_that_are_cut_or_altered_are_refused_or_others(data: st.DataObject) -> None:
    whole = encode_iteration((plain_step(3), plain_step(4)))
    short = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with suppress(MalformedError):
        found = decode_iteration(short)
        assert isinstance(found, tuple)
        assert len(found) < 2
    other = bytearray(whole)
    other[data.draw(st.integers(0, len(other) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(MalformedError):
        assert isinstance(decode_iteration(bytes(other)), tuple)
    with pytest.raises(MalformedError):
        decode_step(whole)

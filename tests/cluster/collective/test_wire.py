"""What is encoded comes back, in few bytes."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gbdist_cluster.collective.wire import add_decoded, decode, encode
from gbdist_cluster.errors import ClusterError

# A cluster that another test keeps in this process draws from the global ``random`` at any time, which Hypothesis takes
# for this module's doing.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")

INT64 = np.iinfo(np.int64)

# Small and huge values side by side, zeros, and lengths on both sides of a block of 64.
cells = st.one_of(
    st.integers(-3, 3), st.integers(-(2**17), 2**17), st.integers(INT64.min, INT64.max), st.just(0), st.just(INT64.min)
)
arrays = hnp.arrays(np.int64, st.integers(0, 200), elements=cells, fill=st.just(0))


@settings(deadline=None)
@given(arrays, st.booleans())
def test_decoding_gives_the_cells_back(array: NDArray[np.int64], halves: bool) -> None:
    np.testing.assert_array_equal(decode(encode(array, halves=halves)), array)


@settings(deadline=None)
@given(arrays, st.booleans(), st.integers(0, 7))
def test_decoding_adds_to_what_is_there(array: NDArray[np.int64], halves: bool, offset: int) -> None:
    # Transports deliver at any address, not only at multiples of eight.
    message = bytes(offset) + encode(array, halves=halves)
    total = np.arange(array.size, dtype=np.int64)
    add_decoded(memoryview(message)[offset:], total)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(total, array + np.arange(array.size))


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128])
def test_every_width_at_every_edge_of_a_block(size: int) -> None:
    for bits in range(64):
        array = np.arange(size, dtype=np.int64) + ((1 << bits) - size)
        array[::2] *= -1
        np.testing.assert_array_equal(decode(encode(array)), array)
        np.testing.assert_array_equal(decode(encode(array, halves=True)), array)


@pytest.mark.parametrize("size", [100, 1_000, 10_000])
def test_dense_cells_take_the_bits_that_they_need(size: int) -> None:
    array = np.full(size, 100, dtype=np.int64)
    array[::2] = -100
    assert len(encode(array)) <= size * 8 / 8 + size / 64 + 24  # ±100 is eight bits; a byte per block; the head


def test_halves_are_as_narrow_as_each_half_is() -> None:
    # 18 bits of derivative with a sign and six of weight: 24 of 64 bits.
    generator = np.random.default_rng(3)
    derivatives = generator.integers(-(2**17), 2**17, 6_400)
    array = (derivatives << 32) + generator.integers(0, 64, 6_400)
    assert len(encode(array, halves=True)) <= 6_400 * 24 / 8 + 2 * 100 + 24
    assert len(encode(array)) > 6_400 * 6


def test_zeros_take_a_mask_alone() -> None:
    array = np.zeros(64_000, dtype=np.int64)
    array[::50] = 2**30
    assert len(encode(array)) < 64_000 * 8 / 30
    assert len(encode(np.zeros(64_000, dtype=np.int64))) <= 8 + 1_000


def test_the_message_shares_no_memory_with_the_array() -> None:
    array = np.full(100, INT64.max, dtype=np.int64)
    message = encode(array)
    array[:] = 0
    assert (decode(message) == INT64.max).all()


def test_read_only_and_strided_arrays_of_any_shape() -> None:
    array = np.arange(60, dtype=np.int64).reshape(3, 4, 5)
    array.flags.writeable = False
    np.testing.assert_array_equal(decode(encode(array)), np.arange(60))
    np.testing.assert_array_equal(decode(encode(array[:, ::2, 1])), array[:, ::2, 1].ravel())


def test_another_number_of_cells_is_refused() -> None:
    with pytest.raises(ClusterError) as caught:
        add_decoded(encode(np.zeros(3, dtype=np.int64)), np.zeros(4, dtype=np.int64))
    assert str(caught.value) == (
        "a rank sent 3 cells where 4 were expected. All ranks must call the collective with arrays of one shape"
    )


@pytest.mark.parametrize("halves", [False, True])
def test_message_that_ends_early_or_late_is_refused(halves: bool) -> None:
    rng = np.random.default_rng(5)
    dense = rng.integers(-1_000_000, 1_000_000, 300)
    array = np.concatenate([dense, np.where(rng.random(300) < 0.05, dense, 0)])  # dense blocks and sparse ones
    message = bytes(encode(array, halves=halves))
    for cut in range(8, len(message), 8):
        with pytest.raises(ClusterError, match="bytes that are no message of cells"):
            add_decoded(message[:cut], np.zeros(600, np.int64))
    for other in (message + bytes(8), message[:-3], b"", b"abc"):
        with pytest.raises(ClusterError, match="bytes that are no message of cells"):
            decode(other)


def test_no_message_reads_beyond_its_end() -> None:
    rng = np.random.default_rng(6)
    message = np.frombuffer(bytes(encode(rng.integers(-100, 100, 500))), np.uint8)
    for _ in range(300):
        damaged = message.copy()
        damaged[rng.integers(8, 80)] = rng.integers(0, 256)  # a width
        with suppress(ClusterError):
            add_decoded(damaged.tobytes(), np.zeros(500, np.int64))
    with pytest.raises(ClusterError) as caught:
        decode(np.array([1 << 60], "<u8").tobytes())
    assert str(caught.value) == (
        "a rank sent 8 bytes that are no message of cells. Something between the workers changes what they send, "
        "or they have different versions of gbdist"
    )

"""The simulator that tests of CUDA kernels run on: barriers hold, all blocks run, and what a thread raises arrives."""

import numpy as np
import pytest
from numba import config

pytestmark = [
    pytest.mark.usefixtures("quick_simulator"),
    pytest.mark.skipif(not config.ENABLE_CUDASIM, reason="kernels run on a card here"),
]
N_THREADS = 8


def passed_on(card, found, rounds) -> None:
    """Each thread hands its number to the next, again and again; the reads of a round and its writes are kept apart."""
    me = card.threadIdx.x
    found[card.blockIdx.x, me] = me
    card.syncthreads()
    for _ in range(rounds):
        taken = found[card.blockIdx.x, me - 1]
        card.syncthreads()
        found[card.blockIdx.x, me] = taken
        card.syncthreads()


def failing(card, found, more) -> None:
    if card.threadIdx.x == 3:
        raise ValueError("thread 3 of a block")
    card.syncthreads()
    found[card.threadIdx.x] = 1


@pytest.fixture
def launched():
    """Run a function as a kernel of some blocks."""
    from gbdist.kernels.cuda_compile import card, cuda

    def launch(function, blocks: int, found: np.ndarray, more: int) -> np.ndarray:
        def kernel(found, more) -> None:
            function(card, found, more)

        there = cuda.to_device(found)
        cuda.jit(kernel)[blocks, N_THREADS](there, more)
        return there.copy_to_host()

    return launch


@pytest.mark.parametrize("rounds", [0, 1, 5, 100])
def test_barriers_hold_in_every_block(launched, rounds: int) -> None:
    found = launched(passed_on, 3, np.full((3, N_THREADS), -1), rounds)
    assert found.tolist() == [np.roll(np.arange(N_THREADS), rounds).tolist()] * 3


def test_what_a_thread_raises_arrives_and_the_next_kernel_runs(launched) -> None:
    with pytest.raises(ValueError, match="thread 3 of a block"):
        launched(failing, 1, np.zeros(N_THREADS), 0)
    assert launched(passed_on, 1, np.zeros((1, N_THREADS)), 1).tolist() == [[7, 0, 1, 2, 3, 4, 5, 6]]

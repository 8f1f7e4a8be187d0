"""What each stream of random draws is for. A number here is part of the model: never reuse or renumber one."""

from enum import IntEnum

import numpy as np

from gbdist.kernels.hashing import stream_key


class Purpose(IntEnum):
    """First number of a stream after the seed."""

    DERIVATIVE_ROUNDING = 1
    WEIGHT_ROUNDING = 2
    BOOTSTRAP = 3
    FEATURE_SAMPLE = 4
    BORDER_NOISE = 5
    FEATURE_NOISE = 6
    ROW_ORDER = 7
    STRUCTURE_PERMUTATION = 8
    TARGET_SAMPLE = 9
    PAIRS_OF_STRUCTURE = 10
    PAIRS_OF_LEAVES = 11
    BATCHES = 12
    DROPOUT = 13
    DONORS = 14
    DONOR_OF_ROW = 15
    SWAPS = 16
    PIECES = 17


def key_of(seed: int, purpose: Purpose, *numbers: int) -> np.uint64:
    """Key of one stream of draws, e.g. of (tree) or (tree, level)."""
    return stream_key(seed, int(purpose), *numbers)

"""Where a run begins: what the ranks agree on before the first step."""

import hashlib
import struct

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.training.state import TrainState, decode_state, encode_state

_REACHED = struct.Struct("<qq16s")
_NOTHING = (-1, -1)


def agreed_state(mine: TrainState | None, collective: Collective) -> TrainState | None:
    """The furthest state that any rank has, on every rank; None if none has one.

    It travels only where a rank does not have it, bit for bit. Of several that are as far the lowest rank's counts: ranks that
    have gone on from the same state with other peers may differ in the last bits.
    """
    if collective.size == 1:
        return mine
    record = b"" if mine is None else encode_state(mine)
    reached = _NOTHING if mine is None else mine.reached
    parcel = _REACHED.pack(*reached, hashlib.blake2b(record, digest_size=16).digest())
    every = collective.all_gather(parcel)
    told = [_REACHED.unpack(item)[:2] for item in every]
    furthest = max(told)
    if furthest == _NOTHING:
        return None
    source = told.index(furthest)
    if all(item == every[source] for item in every):
        return mine
    sent = collective.all_gather(record if collective.rank == source else b"")[source]
    return mine if collective.rank == source else decode_state(sent)


def agreed_rows(rows: NetworkRows, collective: Collective) -> int:
    """Rows of a data set over all ranks; ValueError where there are none."""
    n_rows = int(collective.all_reduce(np.array([rows.n_rows], np.int64))[0])
    if n_rows == 0:
        raise ValueError("no rank has a row to train on")
    return n_rows

"""Whether a run would end sooner with other workers or other shares: arithmetic on what has been measured so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

#: Ending an epoch and beginning the next one, apart from rows: tasks, connections, agreement.
_REGROUP_SECONDS = 2.0
#: Shards move between workers at about this many bytes a second.
_BYTES_A_SECOND = 100e6
#: What is saved must be this many times what it costs: both are estimates.
_MARGIN = 2.0
#: Workers whose speeds are all within this part of the mean are alike: the rest is noise.
_ALIKE = 0.2
#: Other shares for the same workers must make an iteration this much shorter.
_GAIN = 0.15


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run is getting on: iterations so far and those that may come, seconds for one, bytes of a row.

    ``replay`` is what one that was done takes on another gang, as a share of one that is to be done. ``levelled`` is how often
    shares were changed so far because workers were slower than others.
    """

    done: int
    left: int
    seconds: float
    row_bytes: int
    replay: float
    levelled: int = 0


def speeds_of(measured: Mapping[str, float], workers: Sequence[str]) -> dict[str, float] | None:
    """Speed of each worker, in rows a second, from those that are known; others have their mean. None if all are alike."""
    known = [measured[address] for address in workers if address in measured]
    if not known:
        return None
    mean = fmean(known)
    if all(abs(speed - mean) <= _ALIKE * mean for speed in known):
        return None
    return {address: measured.get(address, mean) for address in workers}


def pays(pace: Pace, rows: Mapping[str, int], then: Mapping[str, int], speeds: Mapping[str, float] | None) -> bool:
    """Whether it would pay to go on with the rows ``then`` of each worker, instead of ``rows``; ``speeds`` are of all of them.

    An iteration takes as long as the slowest rank works for it. What it costs: to begin anew, to replay trees, and to move the
    rows that change their owner. Without new workers it must also be worth a fair part of one, and twice as much each time, so
    that shares do not go to and fro with what is measured. Without ``speeds`` workers are alike.
    """
    if speeds is None:
        speeds = dict.fromkeys([*rows, *then], max(rows.values()) / pace.seconds)
    before = max(count / speeds[address] for address, count in rows.items())
    shorter = before - max(count / speeds[address] for address, count in then.items())
    leaves = max(count - then.get(address, 0) for address, count in rows.items())
    replayed = pace.done * pace.seconds * pace.replay
    costs = _MARGIN * (_REGROUP_SECONDS + replayed + leaves * pace.row_bytes / _BYTES_A_SECOND)
    if then.keys() <= rows.keys():
        if shorter < _GAIN * max(before, pace.seconds):
            return False
        costs *= 2.0**pace.levelled
    return pace.left * shorter > costs

"""Which GPU each rank uses: its worker's own, or its turn of those that the workers of a host share."""

import os
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from distributed import Client

from gbdist.boosting.params import Card
from gbdist.errors import ClusterError

_ASK_SECONDS = 60.0
_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """What a process can use: its host, what CUDA_VISIBLE_DEVICES says there, how many GPUs, and if there are none, why."""

    host: str
    visible: str | None
    count: int
    why_none: str = ""


def gpus_of_catboost() -> GpuFacts:
    """The GPUs that CatBoost sees in this process."""
    from catboost.utils import get_gpu_device_count

    count = int(get_gpu_device_count())
    return GpuFacts(socket.gethostname(), os.environ.get(_VISIBLE), count, "" if count else "CatBoost sees none")


def gpus_of_numba() -> GpuFacts:
    """The GPUs that our own kernels can use in this process."""
    host, visible = socket.gethostname(), os.environ.get(_VISIBLE)
    try:
        from numba import cuda

        if cuda.is_available():
            return GpuFacts(host, visible, len(cuda.gpus))
        return GpuFacts(host, visible, 0, "NVIDIA's driver or CUDA's libraries are not found")
    except Exception as error:  # of many kinds: missing packages, broken drivers
        return GpuFacts(host, visible, 0, f"{type(error).__name__}: {error}".splitlines()[0])


@dataclass(frozen=True, slots=True)
class Chosen:
    """A rank's GPU, by the number that its process knows it by, and how many ranks use it."""

    number: int
    sharers: int


def cards_of(
    client: Client, members: Sequence[str], task_type: str, devices: tuple[int, ...] | None
) -> tuple[Card | None, ...]:
    """The card of each rank whose histograms are counted on one; ClusterError where one is asked for and a worker has none."""
    if task_type == "CPU":
        return tuple(None for _ in members)
    found = _ask(client, members, gpus_of_numba)
    fix = (
        'On machines with GPUs: pip install "gbdist[cuda]"; else set task_type="auto" to use CPUs where there are none.'
    )
    chosen = choose_gpus(found, task_type, devices, fix)
    return tuple(None if one is None else Card(one.number, one.sharers) for one in chosen)


def card_here(task_type: str, devices: tuple[int, ...] | None) -> Card | None:
    """The same for one rank in this process."""
    if task_type == "CPU":
        return None
    fix = 'On a machine with a GPU: pip install "gbdist[cuda]"; else set task_type="auto" to use the CPU.'
    (chosen,) = choose_gpus([("of this process", gpus_of_numba())], task_type, devices, fix)
    return None if chosen is None else Card(chosen.number)


def devices_of(
    client: Client, members: Sequence[str], task_type: str, devices: tuple[int, ...] | None
) -> tuple[Mapping[str, object], ...]:
    """CatBoost's device parameters of each rank; ClusterError where a GPU is asked for and a worker has none."""
    if task_type == "CPU":
        return tuple({} for _ in members)
    fix = 'Start workers on machines with GPUs, or set task_type="auto" to use CPUs where there are none.'
    chosen = choose_gpus(_ask(client, members, gpus_of_catboost), task_type, devices, fix)
    return tuple(_for_catboost(one) for one in chosen)


def devices_here(task_type: str, devices: tuple[int, ...] | None) -> Mapping[str, object]:
    """The same for one rank in this process."""
    if task_type == "CPU":
        return {}
    fix = 'Use a machine with a GPU, or set task_type="auto" to use the CPU.'
    return _for_catboost(choose_gpus([("of this process", gpus_of_catboost())], task_type, devices, fix)[0])


def _for_catboost(chosen: Chosen | None) -> Mapping[str, object]:
    return {} if chosen is None else {"task_type": "GPU", "devices": str(chosen.number)}


def _ask(client: Client, members: Sequence[str], look: Callable[[], GpuFacts]) -> list[tuple[str, GpuFacts]]:
    try:
        found = client.sync(
            client._run, look, workers=list(members), on_error="raise", callback_timeout=_ASK_SECONDS
        )  # fmt: skip
    except TimeoutError:
        raise ClusterError(
            f"The workers did not say within {_ASK_SECONDS:g} s which GPUs they have", "See which of them are alive."
        ) from None
    return [(address, found[address]) for address in members]


def choose_gpus(
    ranks: Sequence[tuple[str, GpuFacts]], task_type: str, devices: tuple[int, ...] | None, fix: str
) -> list[Chosen | None]:
    """Deal out GPUs: workers of a host that see the same ones take turns. ``devices`` are those that may be used, None for all.

    A worker that sees no GPU uses its CPU with ``task_type="auto"``, and is an error, with that ``fix``, with "GPU".
    """
    turn_of: Counter[tuple[str, str | None]] = Counter()
    places: list[tuple[str, str | None, int] | None] = []
    for name, facts in ranks:
        if facts.count == 0:
            if task_type == "GPU":
                why = f"{_VISIBLE}={facts.visible}: {facts.why_none}"
                raise ClusterError(f"Worker {name} on {facts.host} has no GPU that can be used ({why})", fix)
            places.append(None)
            continue
        usable = devices or tuple(range(facts.count))
        missing = [number for number in usable if number >= facts.count]
        if missing:
            raise ClusterError(
                f"Worker {name} on {facts.host} has no GPU {missing[0]}: it sees {facts.count}",
                f"Choose devices from 0 to {facts.count - 1}.",
            )
        turn = turn_of[facts.host, facts.visible]
        turn_of[facts.host, facts.visible] += 1
        places.append((facts.host, facts.visible, usable[turn % len(usable)]))
    sharers = Counter(places)
    return [None if place is None else Chosen(place[2], sharers[place]) for place in places]

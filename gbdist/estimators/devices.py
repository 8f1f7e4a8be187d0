"""Which GPU each rank of native CatBoost uses: its worker's own, or its turn of those that the workers of a host share."""

import os
import socket
from collections.abc import Mapping, Sequence

from distributed import Client

from gbdist.errors import ClusterError

_ASK_SECONDS = 60.0
_VISIBLE = "CUDA_VISIBLE_DEVICES"

#: host, what CUDA_VISIBLE_DEVICES says there, number of GPUs that CatBoost sees
GpuFacts = tuple[str, str | None, int]


def look_for_gpus() -> GpuFacts:
    """What a process can use; runs on workers."""
    from catboost.utils import get_gpu_device_count

    return socket.gethostname(), os.environ.get(_VISIBLE), int(get_gpu_device_count())


def devices_of(
    client: Client, members: Sequence[str], task_type: str, devices: tuple[int, ...] | None
) -> tuple[Mapping[str, object], ...]:
    """CatBoost's device parameters of each rank; ClusterError where a GPU is asked for and a worker has none."""
    if task_type == "CPU":
        return tuple({} for _ in members)
    try:
        found = client.sync(
            client._run, look_for_gpus, workers=list(members), on_error="raise", callback_timeout=_ASK_SECONDS
        )
    except TimeoutError:
        raise ClusterError(
            f"The workers did not say within {_ASK_SECONDS:g} s which GPUs they have", "See which of them are alive."
        ) from None
    return choose_devices([(address, found[address]) for address in members], task_type, devices)


def devices_here(task_type: str, devices: tuple[int, ...] | None) -> Mapping[str, object]:
    """The same for one rank in this process."""
    return {} if task_type == "CPU" else choose_devices([("of this process", look_for_gpus())], task_type, devices)[0]


def choose_devices(
    ranks: Sequence[tuple[str, GpuFacts]], task_type: str, devices: tuple[int, ...] | None
) -> tuple[Mapping[str, object], ...]:
    """Deal out GPUs: workers of a host that see the same ones take turns. ``devices`` are those that may be used, None for all.

    A worker that sees no GPU trains on its CPU with ``task_type="auto"``, and is an error with "GPU".
    """
    turn_of: dict[tuple[str, str | None], int] = {}
    chosen: list[Mapping[str, object]] = []
    for name, (host, visible, count) in ranks:
        if count == 0:
            if task_type == "GPU":
                raise ClusterError(
                    f"Worker {name} on {host} has no GPU that CatBoost can use ({_VISIBLE}={visible})",
                    'Start workers on machines with GPUs, or set task_type="auto" to use CPUs where there are none.',
                )
            chosen.append({})
            continue
        usable = devices or tuple(range(count))
        missing = [number for number in usable if number >= count]
        if missing:
            raise ClusterError(
                f"Worker {name} on {host} has no GPU {missing[0]}: it sees {count}",
                f"Choose devices from 0 to {count - 1}.",
            )
        turn = turn_of.get((host, visible), 0)
        turn_of[host, visible] = turn + 1
        chosen.append({"task_type": "GPU", "devices": str(usable[turn % len(usable)])})
    return tuple(chosen)

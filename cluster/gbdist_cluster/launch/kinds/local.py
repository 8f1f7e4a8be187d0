"""A cluster on this machine: Dask's ``LocalCluster``, whose scheduler runs in the keeper, and a process a worker."""

import os
import sys
from typing import Any

from distributed import LocalCluster

from gbdist_cluster.errors import SettingError
from gbdist_cluster.launch.certificates import security_for
from gbdist_cluster.launch.config import ClusterConfig
from gbdist_cluster.launch.gpus import gpus_here
from gbdist_cluster.launch.kinds.base import check_here, scheduler_command, script, with_workers, worker_command

__all__ = ["LocalLauncher"]


class LocalLauncher:
    """Workers on this machine; all of it ends with the keeper."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config

    @property
    def cores(self) -> int:
        """The cores that this process may use."""
        return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1

    @property
    def workers(self) -> int:
        """As configured; else one a GPU, or one a core, or as many as leave no core idle."""
        if self.config.workers is not None:
            return self.config.workers
        if self.config.gpus:
            return len(gpus_here())
        return max(1, self.cores // (self.config.threads or 1))

    @property
    def threads(self) -> int:
        """As configured; else an even share of the cores."""
        return self.config.threads or max(1, self.cores // max(1, self.workers))

    def check(self) -> None:
        """Ports, certificates, sizes, and GPUs where they are asked for."""
        check_here(self.config)
        if self.config.gpus:
            self._check_gpus()
        self.check_size(self.workers)

    def _check_gpus(self) -> None:
        found = gpus_here()
        if not found:
            seen = os.environ.get("CUDA_VISIBLE_DEVICES")
            why = "NVIDIA's driver shows none" + (f", CUDA_VISIBLE_DEVICES being {seen!r}" if seen is not None else "")
            raise self.config.refuse("gpus", f"a GPU on this machine ({why})", "Leave out --gpus to use the CPUs.")

    def check_size(self, workers: int) -> None:
        """No more workers than GPUs, where each is to have one."""
        found = gpus_here() if self.config.gpus else None
        if found is not None and workers > len(found):
            raise SettingError(
                self.config.given.get("workers", "--workers"),
                workers,
                f"at most one worker for each of the {len(found)} GPUs here",
                "Leave it out for one a GPU.",
            )

    def create(self) -> Any:
        """Dask's ``LocalCluster``."""
        config = self.config
        cluster = _Cluster(
            gpus_here() if config.gpus else None,
            name=config.name,
            n_workers=0,
            threads_per_worker=self.threads,
            memory_limit=config.memory or _even_share(self.workers),
            host=config.listen,
            scheduler_port=config.port,
            protocol=f"{config.protocol}://",
            security=security_for(config.tls),
            dashboard_address=config.dashboard_address,
            local_directory=config.local_directory,
            silence_logs=False,
            asynchronous=True,
        )
        return with_workers(cluster, self.workers)

    def render(self) -> str:
        """The same as Dask's commands."""
        config = self.config
        gpus = gpus_here() if config.gpus else []
        host = "127.0.0.1" if config.listen in (None, "0.0.0.0") else config.listen
        lines = [f"{scheduler_command(config)} &"]
        if config.gpus:
            for gpu in gpus[: self.workers]:
                worker = worker_command(config, host, env={"CUDA_VISIBLE_DEVICES": gpu})
                lines.append(f"{worker} &")
        else:
            lines.append(f"{worker_command(config, host, '--nworkers', str(self.workers))} &")
        return script(f"The cluster {config.name!r} on this machine.", [*lines, "wait"])


def _even_share(workers: int) -> int:
    """Bytes of memory for each of the workers, as Dask shares this machine's."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT / max(1, workers))


class _Cluster(LocalCluster):  # type: ignore[misc]
    """``LocalCluster``, where each worker has a GPU of its own if there are GPUs, also after it was made larger."""

    def __init__(self, gpus: list[str] | None, **options: Any) -> None:
        self._gpus = gpus
        super().__init__(**options)

    def new_worker_spec(self) -> dict[Any, Any]:
        """Name and options of the next worker, with the first GPU that no other has."""
        spec: dict[Any, Any] = super().new_worker_spec()
        if self._gpus is None:
            return spec
        taken = {one["options"]["env"]["CUDA_VISIBLE_DEVICES"] for one in self.worker_spec.values()}
        ((name, worker),) = spec.items()
        gpu = next(one for one in self._gpus if one not in taken)
        return {name: {**worker, "options": {**worker["options"], "env": {"CUDA_VISIBLE_DEVICES": gpu}}}}

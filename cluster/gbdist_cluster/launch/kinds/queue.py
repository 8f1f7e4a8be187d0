"""A cluster from the queue of Slurm or PBS, by dask-jobqueue: a job a worker, the scheduler in the keeper."""

import shlex
import shutil
import tempfile
from typing import Any

from distributed import Security

from gbdist_cluster.launch.config import ClusterConfig
from gbdist_cluster.launch.kinds.base import check_here, python_here, require_extra, tls_fields, with_workers

__all__ = ["QueueLauncher"]

_MEMORY = "4 GiB"


class QueueLauncher:
    """Workers that a queue starts when it has room. They end a minute after the keeper, which has their scheduler."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config

    @property
    def workers(self) -> int:
        """As configured, else one."""
        return 1 if self.config.workers is None else self.config.workers

    def check(self) -> None:
        """The extra, the queue's command, ports, certificates and sizes."""
        job = self._class("Job")
        check_here(self.config)
        if shutil.which(job.submit_command) is None:
            expected = f"a machine that has {job.submit_command}"
            raise self.config.refuse(
                "kind", expected, "Run this where jobs are submitted, or see: gbdist cluster render."
            )

    def _class(self, what: str) -> Any:
        module = require_extra(f"dask_jobqueue.{self.config.kind}", "jobqueue", self.config.kind)
        return getattr(module, f"{self.config.kind.upper()}{what}")

    def job_options(self) -> dict[str, Any]:
        """What dask-jobqueue's jobs take: one worker each."""
        config = self.config
        threads, memory = config.threads or 1, config.memory or _MEMORY
        security = tls_fields(config)
        if security and shlex.quote(security["tls_ca_file"]) != security["tls_ca_file"]:
            expected = "a path that a shell takes as it is, as dask-jobqueue writes it to the job script"
            raise config.refuse("tls", expected, "Move the folder to a place without spaces in its name.")
        options: dict[str, Any] = {
            "cores": threads,
            "memory": memory,
            "processes": 1,
            "job_name": f"gbdist-{config.name}",
            "python": python_here(config),
            "protocol": f"{config.protocol}://",
            "security": Security(**security) if security else None,
            "worker_extra_args": ["--dashboard-address", config.worker_dashboard],
            "job_extra_directives": list(config.directives),
            "job_script_prologue": list(config.prologue),
        }
        if config.worker_host:
            options["worker_extra_args"] += ["--host", config.worker_host]
        for name in ("queue", "account", "walltime", "interface", "log_directory", "local_directory"):
            if (value := getattr(config, name)) is not None:
                options[name] = value
        if config.gpus and config.kind == "slurm":
            options["job_extra_directives"].append("--gres=gpu:1")
        elif config.gpus:
            from dask.utils import parse_bytes

            mebibytes = -(-parse_bytes(memory) // 2**20)
            options["resource_spec"] = f"select=1:ncpus={threads}:mem={mebibytes}mb:ngpus=1"
        return options

    def check_size(self, workers: int) -> None:
        """Any number: what there is no room for waits."""

    def create(self) -> Any:
        """The cluster of dask-jobqueue, with its scheduler here and a job for each worker."""
        config = self.config
        scheduler: dict[str, Any] = {"port": config.port, "dashboard_address": config.dashboard_address}
        if config.interface is None:
            scheduler["host"] = config.listen
        cluster = self._class("Cluster")(
            name=config.name,
            scheduler_options=scheduler,
            silence_logs=False,
            asynchronous=True,
            **self.job_options(),
        )
        return with_workers(cluster, self.workers)

    def render(self) -> str:
        """The script of one worker's job; ``SCHEDULER`` stands for the machine that ``up`` is run on."""
        config = self.config
        options = self.job_options()
        address = f"{config.protocol}://SCHEDULER:{config.port or 8786}"
        with tempfile.TemporaryDirectory() as folder:
            if config.log_directory:  # which dask-jobqueue makes at once, and this is only to be looked at
                options["log_directory"] = folder
            text = str(self._class("Job")(address, name=f"{config.name}-0", **options).job_script())
            return text.replace(folder, config.log_directory or folder)

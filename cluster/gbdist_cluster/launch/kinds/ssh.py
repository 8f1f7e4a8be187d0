"""A cluster on machines that ssh reaches, built of the parts of Dask's ``SSHCluster``.

Unlike it this one can grow, gives each worker a GPU, and goes on reading what its processes write: a pipe that nobody
reads fills up, and then the process that writes to it stands still.
"""

import asyncio
import contextlib
import shlex
import sys
from typing import Any

from distributed import SpecCluster, Status
from distributed.deploy import ssh

from gbdist_cluster.errors import SettingError
from gbdist_cluster.launch.certificates import security_for
from gbdist_cluster.launch.config import ClusterConfig
from gbdist_cluster.launch.kinds.base import (
    check_certificates,
    check_memory,
    python_here,
    require_extra,
    scheduler_command,
    script,
    tls_fields,
    with_workers,
    worker_command,
)

__all__ = ["SshLauncher"]

_END_SECONDS = 5.0
"""How long a worker may take to end in good order."""


class SshLauncher:
    """A scheduler on one host and workers on all of them, started by ssh. They outlive a keeper that is killed."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config

    @property
    def workers(self) -> int:
        """As configured; else one a host, or one a GPU."""
        if self.config.workers is not None:
            return self.config.workers
        return len(self.config.hosts) * (self.config.gpus_per_host if self.config.gpus else 1)

    @property
    def scheduler_host(self) -> str:
        """The machine of the scheduler."""
        return self.config.scheduler_host or self.config.hosts[0]

    def place(self, number: int) -> tuple[str, dict[str, str]]:
        """Host and environment of a worker: round the hosts, then to the next GPU of each."""
        turn, index = divmod(number, len(self.config.hosts))
        env = {"CUDA_VISIBLE_DEVICES": str(turn)} if self.config.gpus else {}
        return self.config.hosts[index], env

    def check(self) -> None:
        """The extra, certificates, sizes, and GPUs for all."""
        require_extra("asyncssh", "ssh", "ssh")
        check_memory(self.config)
        check_certificates(self.config)
        self.check_size(self.workers)

    def check_size(self, workers: int) -> None:
        """No more workers than GPUs, where each is to have one."""
        room = len(self.config.hosts) * self.config.gpus_per_host
        if self.config.gpus and workers > room:
            raise SettingError(
                self.config.given.get("workers", "--workers"),
                workers,
                f"at most one worker for each of the {room} GPUs of the hosts",
                "Leave it out for one a GPU, or correct gpus-per-host.",
            )

    def create(self) -> Any:
        """Dask's cluster by specification, of processes over ssh."""
        config = self.config
        cluster = _Cluster(
            self,
            scheduler={"cls": _Scheduler, "options": self._scheduler_options()},
            security=security_for(config.tls),
            name=config.name,
            asynchronous=True,
        )
        return with_workers(cluster, self.workers)

    def _scheduler_options(self) -> dict[str, Any]:
        config = self.config
        options: dict[str, Any] = {
            "host": config.listen,
            "port": config.port,
            "protocol": f"{config.protocol}://",
            "dashboard_address": config.dashboard_address,
        }
        if (fields := tls_fields(config)) is not None:
            options["security"] = fields
        return {**self._process(self.scheduler_host), "kwargs": options}

    def worker_options(self, number: int) -> dict[str, Any]:
        """What Dask's ``Worker`` over ssh takes, for one worker."""
        config = self.config
        host, env = self.place(number)
        options: dict[str, Any] = {"nthreads": config.threads or 1, "memory_limit": config.memory or "auto", "env": env}
        options |= {"protocol": f"{config.protocol}://", "name": f"{config.name}-{number}"}
        options["dashboard_address"] = config.worker_dashboard
        if config.worker_host:
            options["host"] = config.worker_host
        if config.local_directory:
            options["local_directory"] = config.local_directory
        if (fields := tls_fields(config)) is not None:
            options["security"] = fields
        return {**self._process(host), "kwargs": options, "worker_class": "distributed.Nanny"}

    def _process(self, host: str) -> dict[str, Any]:
        """Where a process runs, and how ssh gets there."""
        config = self.config
        settings = {
            "username": config.ssh_user,
            "port": config.ssh_port,
            "client_keys": [config.ssh_key] if config.ssh_key else None,
            "known_hosts": config.known_hosts,
        }
        connect: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        connect |= {"connect_timeout": config.timeout, "keepalive_interval": 15}
        return {"address": host, "connect_options": connect, "remote_python": python_here(config)}

    def render(self) -> str:
        """The same as commands, each run on its host."""
        config, host = self.config, self.scheduler_host
        lines = [f"ssh {host} {shlex.quote(scheduler_command(config))} &"]
        for number in range(self.workers):
            place, env = self.place(number)
            command = worker_command(config, host, "--name", f"{config.name}-{number}", env=env)
            lines.append(f"ssh {place} {shlex.quote(command)} &")
        return script(f"The cluster {config.name!r} over ssh.", [*lines, "wait"])


async def _pass_on(process: Any, name: str) -> None:
    """Write what a process far away writes to where this one does."""
    async for line in process.stderr:
        sys.stderr.write(f"{name}: {line}")
        sys.stderr.flush()


class _Scheduler(ssh.Scheduler):  # type: ignore[misc]
    """Dask's scheduler over ssh, whose words are passed on."""

    async def start(self) -> None:
        """Start, and go on reading; where it does not start nothing of it stays."""
        host = self.address
        try:
            await super().start()
        except BaseException:  # also where the time was over
            await self.close()
            raise
        self._reader = asyncio.create_task(_pass_on(self.proc, f"scheduler on {host}"))


class _Worker(ssh.Worker):  # type: ignore[misc]
    """Dask's worker over ssh, whose words are passed on."""

    async def start(self) -> None:
        """Start, and go on reading; where it does not start nothing of it stays."""
        try:
            await super().start()
        except BaseException:
            await self.close()
            raise
        self._reader = asyncio.create_task(_pass_on(self.proc, f"{self.name} on {self.address}"))

    async def close(self) -> None:
        """End the worker: in good order, by its scheduler, and else by a signal, which many SSH servers do not pass on."""
        cluster = getattr(self, "_cluster", lambda: None)()
        if cluster is not None and self.status == Status.running:
            with contextlib.suppress(Exception):  # the scheduler is gone, or the worker: the signal is what is left
                await asyncio.wait_for(_ended(cluster, self), _END_SECONDS)
        await super().close()


async def _ended(cluster: Any, worker: _Worker) -> None:
    await cluster.scheduler_comm.retire_workers(names=[worker.name], close_workers=True)
    await worker.proc.wait_closed()


class _Cluster(SpecCluster):  # type: ignore[misc]
    """Dask's cluster by specification, whose next worker goes to the next host."""

    def __init__(self, launcher: SshLauncher, **options: Any) -> None:
        self._launcher = launcher
        super().__init__(worker={"cls": _Worker}, **options)

    def new_worker_spec(self) -> dict[Any, Any]:
        """Name and options of the next worker: the first number that none has."""
        number = next(
            one for one in range(len(self.worker_spec) + 1) if self._launcher_name(one) not in self.worker_spec
        )
        return {self._launcher_name(number): {"cls": _Worker, "options": self._launcher.worker_options(number)}}

    def _launcher_name(self, number: int) -> str:
        return f"{self._launcher.config.name}-{number}"

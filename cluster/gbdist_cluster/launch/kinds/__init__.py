"""The kinds of cluster: one launcher a kind, all alike to whoever starts, shows and stops clusters."""

from gbdist_cluster.launch.config import ClusterConfig
from gbdist_cluster.launch.kinds.base import Launcher

__all__ = ["Launcher", "launcher_of"]


def launcher_of(config: ClusterConfig) -> Launcher:
    """The launcher of the configuration's kind. What it is made of is imported by its methods."""
    match config.kind:
        case "ssh":
            from gbdist_cluster.launch.kinds.ssh import SshLauncher

            return SshLauncher(config)
        case "slurm" | "pbs":
            from gbdist_cluster.launch.kinds.queue import QueueLauncher

            return QueueLauncher(config)
        case "kubernetes":
            from gbdist_cluster.launch.kinds.kubernetes import KubernetesLauncher

            return KubernetesLauncher(config)
        case _:
            from gbdist_cluster.launch.kinds.local import LocalLauncher

            return LocalLauncher(config)

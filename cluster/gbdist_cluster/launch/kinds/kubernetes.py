"""A cluster in Kubernetes, by dask-kubernetes: a ``DaskCluster`` resource, which the Dask operator turns into pods.

Its scheduler is reached within the Kubernetes network, and from the keeper's machine by port forwarding; the operator's
schedulers speak no TLS.
"""

from typing import Any

from dask.utils import parse_bytes

from gbdist_cluster.launch.config import ClusterConfig
from gbdist_cluster.launch.kinds.base import check_memory, require_extra

__all__ = ["KubernetesLauncher"]


class KubernetesLauncher:
    """Pods of the Dask operator. They outlive a keeper that is killed."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config

    @property
    def workers(self) -> int:
        """As configured, else one."""
        return 1 if self.config.workers is None else self.config.workers

    def check(self) -> None:
        """The extra and the sizes."""
        self._module()
        check_memory(self.config)

    def _module(self) -> Any:
        return require_extra("dask_kubernetes.operator.kubecluster.kubecluster", "kubernetes", "kubernetes")

    def manifest(self) -> dict[str, Any]:
        """The ``DaskCluster`` resource. Limits are those of the workers; only they have GPUs."""
        config = self.config
        threads, memory = config.threads or 1, (config.memory or "4 GiB").replace(" ", "")
        resource: dict[str, Any] = self._module().make_cluster_spec(
            name=config.name,
            image=config.image,
            n_workers=self.workers,
            env={},
            worker_command=["dask", "worker", "--nthreads", str(threads), "--memory-limit", memory],
            scheduler_service_type=config.service_type,
        )
        if config.namespace:
            resource["metadata"]["namespace"] = config.namespace
        limits = {"cpu": str(threads), "memory": f"{-(-parse_bytes(memory) // 2**20)}Mi"}
        if config.gpus:
            limits["nvidia.com/gpu"] = "1"
        (worker,) = resource["spec"]["worker"]["spec"]["containers"]
        worker["resources"] = {"limits": limits, "requests": dict(limits)}
        (scheduler,) = resource["spec"]["scheduler"]["spec"]["containers"]
        scheduler["args"] = ["dask", "scheduler", "--host", "0.0.0.0"]  # its old name is gone from newer releases
        scheduler.pop("resources", None)
        return resource

    def check_size(self, workers: int) -> None:
        """Any number: what there is no room for waits."""

    def create(self) -> Any:
        """The cluster of dask-kubernetes; awaited it creates the resource, and waits for its scheduler."""
        module = self._module()
        return module.KubeCluster(
            custom_cluster_spec=self.manifest(),
            namespace=self.config.namespace,
            resource_timeout=max(1, round(self.config.timeout)),
            create_mode=module.CreateMode.CREATE_ONLY,
            shutdown_on_close=True,
            quiet=True,
            asynchronous=True,
        )

    def render(self) -> str:
        """The resource, for ``kubectl apply``."""
        import yaml

        return f"# The cluster {self.config.name!r}, for the Dask operator.\n" + str(
            yaml.safe_dump(self.manifest(), sort_keys=False)
        )

"""The resource that the Dask operator is given."""

import inspect
from typing import Any

import pytest
import yaml
from dask_kubernetes.operator.kubecluster import kubecluster

from gbdist_cluster.launch.config import configure
from gbdist_cluster.launch.kinds.kubernetes import KubernetesLauncher


def rendered(**settings: Any) -> Any:
    return yaml.safe_load(KubernetesLauncher(configure({"kind": "kubernetes", **settings})).render())


def test_resource_says_what_was_asked_for() -> None:
    resource = rendered(
        name="fraud", workers=3, threads=4, memory="8 GiB", image="r/gbdist:1", namespace="ml", gpus=True
    )
    assert (resource["apiVersion"], resource["kind"]) == ("kubernetes.dask.org/v1", "DaskCluster")
    assert resource["metadata"] == {"name": "fraud", "namespace": "ml"}
    worker = resource["spec"]["worker"]
    assert worker["replicas"] == 3
    (container,) = worker["spec"]["containers"]
    assert container["image"] == "r/gbdist:1"
    assert container["args"][:6] == ["dask", "worker", "--nthreads", "4", "--memory-limit", "8GiB"]
    limits = {"cpu": "4", "memory": "8192Mi", "nvidia.com/gpu": "1"}
    assert container["resources"] == {"limits": limits, "requests": limits}


def test_scheduler_has_the_same_image_and_no_gpu() -> None:
    (container,) = rendered(image="r/gbdist:1", gpus=True)["spec"]["scheduler"]["spec"]["containers"]
    assert container["image"] == "r/gbdist:1"
    assert container["args"] == ["dask", "scheduler", "--host", "0.0.0.0"]
    assert "resources" not in container


def test_cluster_is_made_of_the_resource_that_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = KubernetesLauncher(configure({"kind": "kubernetes", "namespace": "ml", "timeout": 90}))
    signature = inspect.signature(kubecluster.KubeCluster)
    made: list[inspect.BoundArguments] = []
    monkeypatch.setattr(kubecluster, "KubeCluster", lambda **options: made.append(signature.bind(**options)))
    launcher.create()
    (options,) = (one.arguments for one in made)
    assert options["custom_cluster_spec"] == yaml.safe_load(launcher.render())
    assert (options["namespace"], options["resource_timeout"], options["asynchronous"]) == ("ml", 90, True)
    assert options["create_mode"] is kubecluster.CreateMode.CREATE_ONLY  # never another's cluster of this name
    assert options["shutdown_on_close"] is True


def test_service_stays_within_the_cluster() -> None:
    service = rendered(name="fraud")["spec"]["scheduler"]["service"]
    assert service["type"] == "ClusterIP"
    assert service["selector"]["dask.org/cluster-name"] == "fraud"

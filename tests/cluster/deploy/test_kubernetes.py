"""The manifests are what the operator and Kubernetes take, and what the operator makes of them fits together."""

import copy
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import dask.config
import dask_kubernetes
import jsonschema
import kubernetes_asyncio.client as models
import pytest
import yaml

from .recipes import KUBERNETES, containers, manifest, manifests

CRDS = Path(dask_kubernetes.__file__).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
OWN = {"DaskCluster", "DaskJob", "DaskAutoscaler", "DaskWorkerGroup"}
PLAIN = {"NetworkPolicy": "V1NetworkPolicy", "PersistentVolumeClaim": "V1PersistentVolumeClaim"}
ALL = list(manifests())


@cache
def schema_of(kind: str) -> dict[str, Any]:
    """The schema of one of the operator's kinds, which refuses what it does not know; Kubernetes would drop it in silence."""
    crd = yaml.load((CRDS / f"{kind.lower()}.yaml").read_text(), yaml.CSafeLoader)
    (version,) = crd["spec"]["versions"]
    assert (crd["spec"]["names"]["kind"], version["name"]) == (kind, "v1")
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    schema["properties"] |= {
        "apiVersion": {"const": f"{crd['spec']['group']}/v1"},
        "kind": {"const": kind},
        "metadata": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    }
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    _close(schema)
    return schema


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
    elif isinstance(schema, list):
        for value in schema:
            _close(value)


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest."""
    kind = document["kind"]
    if kind in OWN:
        found = jsonschema.Draft202012Validator(schema_of(kind)).iter_errors(document)
        return [f"{error.json_path}: {error.message}" for error in found]
    return _mismatches(document, PLAIN[kind], kind)


def _mismatches(value: Any, wanted: str, place: str) -> list[str]:
    """What does not fit one of Kubernetes' own types, in the words of its client: "list[V1Subject]", "dict(str, str)", "str"."""
    if inner := re.fullmatch(r"list\[(.*)\]", wanted):
        if not isinstance(value, list):
            return [f"{place}: {value!r} is no list"]
        return [found for n, each in enumerate(value) for found in _mismatches(each, inner[1], f"{place}[{n}]")]
    if inner := re.fullmatch(r"dict[(\[]str, (.*)[)\]]", wanted):
        if not isinstance(value, dict):
            return [f"{place}: {value!r} is no table"]
        return [found for key, each in value.items() for found in _mismatches(each, inner[1], f"{place}.{key}")]
    if wanted == "object":
        return []
    if wanted in ("str", "int", "bool"):
        kind = {"str": str, "int": int, "bool": bool}[wanted]
        return [] if type(value) is kind else [f"{place}: {value!r} is no {wanted}"]
    model = getattr(models, wanted)
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no {wanted}"]
    fields = {json_name: model.openapi_types[name] for name, json_name in model.attribute_map.items()}
    found = [f"{place}: there is no {key} in {wanted}" for key in value if key not in fields]
    for key in value.keys() & fields.keys():
        found += _mismatches(value[key], fields[key], f"{place}.{key}")
    return found


@pytest.mark.parametrize(("name", "document"), ALL, ids=[f"{name} {document['kind']}" for name, document in ALL])
def test_manifest_is_valid(name: str, document: dict[str, Any]) -> None:
    assert problems(document) == []
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", document["metadata"]["name"])


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("cluster.yaml", ("spec", "worker", "replicas"), "two"),
        ("cluster.yaml", ("spec", "worker", "spec", "containers", 0, "comand"), ["dask"]),
        ("cluster.yaml", ("spec", "scheduler", "service", "ports", 0, "port"), "8786"),
        ("job.yaml", ("spec", "job", "spec", "containers", 0, "env", 0, "value"), 1),
        ("autoscaler.yaml", ("spec", "max"), 5),
        ("data.yaml", ("spec", "accessModes"), "ReadWriteMany"),
        ("data.yaml", ("spec", "acessModes"), []),
    ],
)
def test_wrong_manifest_is_found(name: str, path: tuple[Any, ...], value: object) -> None:
    document = copy.deepcopy(manifest(name))
    *way, last = path
    node: Any = document
    for step in way:
        node = node[step]
    node[last] = value
    assert len(problems(document)) == 1


@pytest.mark.parametrize("name", ["cluster.yaml", "job.yaml"])
def test_wrong_policy_is_found(name: str) -> None:
    policy = copy.deepcopy(next(document for file, document in ALL if file == "network-policy.yaml"))
    policy["spec"]["ingress"][0]["form"] = policy["spec"]["ingress"][0].pop("from")
    assert problems(policy) == ["NetworkPolicy.spec.ingress[0]: there is no form in V1NetworkPolicyIngressRule"]


def made_by_the_operator(cluster: str, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Deployments and service that the operator makes of a cluster's spec."""
    from dask_kubernetes.operator.controller import controller

    spec = copy.deepcopy(spec)
    return {
        "scheduler": controller.build_scheduler_deployment_spec(cluster, spec["scheduler"]["spec"], {}, {}),
        "worker": controller.build_worker_deployment_spec(
            worker_group_name=f"{cluster}-default",
            namespace="team",
            cluster_name=cluster,
            uuid="1",
            pod_spec=spec["worker"]["spec"],
            annotations={},
            labels={},
        ),
        "service": controller.build_scheduler_service_spec(cluster, spec["scheduler"]["service"], {}, {}),
    }


def runner(cluster: str) -> dict[str, Any]:
    """The pod that the operator makes for a job."""
    from dask_kubernetes.operator.controller import controller

    spec = copy.deepcopy(manifest("job.yaml")["spec"]["job"]["spec"])
    pod: dict[str, Any] = controller.build_job_pod_spec(
        job_name=cluster, cluster_name=cluster, namespace="team", spec=spec, annotations={}, labels={}
    )
    return pod


def clusters() -> list[tuple[str, dict[str, Any]]]:
    """Name and spec of both clusters."""
    job = manifest("job.yaml")
    return [("gbdist", manifest("cluster.yaml")["spec"]), (job["metadata"]["name"], job["spec"]["cluster"]["spec"])]


@pytest.mark.parametrize(("cluster", "spec"), clusters(), ids=["cluster.yaml", "job.yaml"])
def test_what_the_operator_makes_fits_together(cluster: str, spec: dict[str, Any]) -> None:
    made = made_by_the_operator(cluster, spec)
    pod = {role: made[role]["spec"]["template"] for role in ("scheduler", "worker")}
    service = made["service"]
    assert service["spec"]["selector"].items() <= pod["scheduler"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in pod["scheduler"]["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports
    # The operator adds an address without encryption where there is none.
    env = {each["name"]: each["value"] for each in pod["worker"]["spec"]["containers"][0]["env"]}
    assert env["DASK_SCHEDULER_ADDRESS"] == f"tls://{service['metadata']['name']}:{ports['tcp-comm']}"
    assert env["DASK_WORKER_NAME"] == made["worker"]["metadata"]["name"]
    # It finds the worker to stop by its name.
    assert "--name=$(DASK_WORKER_NAME)" in pod["worker"]["spec"]["containers"][0]["args"]


def test_the_job_has_the_same_cluster() -> None:
    text = json.dumps(manifest("cluster.yaml")["spec"])
    text = text.replace('cluster-name": "gbdist"', 'cluster-name": "gbdist-train"')
    text = text.replace("//gbdist-scheduler", "//gbdist-train-scheduler")
    job = manifest("job.yaml")["spec"]
    assert job["cluster"]["spec"] == json.loads(text)
    pod = runner("gbdist-train")
    (container,) = pod["spec"]["containers"]
    address = "tls://gbdist-train-scheduler:8786"
    assert f"--scheduler={address}" in container["args"]
    # The operator adds an address without encryption where there is none.
    assert {each["name"]: each["value"] for each in container["env"]} == {"DASK_SCHEDULER_ADDRESS": address}
    assert f"logs --follow {pod['metadata']['name']}" in (KUBERNETES / "README.md").read_text()


def test_gpu_workers_differ_by_their_gpu_alone() -> None:
    group = copy.deepcopy(manifest("gpu-workers.yaml")["spec"])
    (container,) = group["worker"]["spec"]["containers"]
    assert container["resources"]["limits"].pop("nvidia.com/gpu") == "1"
    assert container["image"] == "gbdist:cuda"
    container["image"] = "gbdist:cpu"
    cluster = manifest("cluster.yaml")
    assert group["worker"] == cluster["spec"]["worker"]
    names = {cluster["metadata"]["name"]}
    assert {group["cluster"], manifest("autoscaler.yaml")["spec"]["cluster"]} == names


@pytest.mark.parametrize("name", ["cluster.yaml", "job.yaml", "gpu-workers.yaml"])
def test_threads_and_memory_are_the_limits(name: str) -> None:
    for container in containers(manifest(name)):
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits["memory"] == requests["memory"]  # what is more than asked for is taken away first
        if "worker" in container["args"]:
            assert f"--nthreads={limits['cpu']}" in container["args"]
            assert limits["cpu"] == requests["cpu"]


@pytest.mark.parametrize("name", ["cluster.yaml", "job.yaml", "gpu-workers.yaml"])
def test_pods_have_no_rights_that_they_do_not_need(name: str) -> None:
    def pods(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, dict):
            return ([node] if "containers" in node else []) + [pod for value in node.values() for pod in pods(value)]
        return [pod for value in node for pod in pods(value)] if isinstance(node, list) else []

    found = pods(manifest(name))
    assert found
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        names = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {mount["name"] for mount in container["volumeMounts"]} <= names
            ports = {port["name"] for port in container.get("ports", ())}
            for probe in ("readinessProbe", "livenessProbe"):
                assert probe not in container or container[probe]["httpGet"]["port"] in ports


def test_secrets_are_those_that_the_readme_makes() -> None:
    readme = (KUBERNETES / "README.md").read_text()
    made = {}
    for line in re.findall(r"kubectl create secret generic .*", readme):
        _, _, _, _, name, *files = shlex.split(line)
        made[name] = {file.rpartition("/")[2] for file in files}
        assert all(file.startswith("--from-file=certs/") for file in files)
    used: dict[str, set[str]] = {}
    for name, document in ALL:
        text = json.dumps(document)
        for secret in re.findall(r'"secretName": "([^"]*)"', text):
            used.setdefault(secret, set())
        assert all(mode == "288" for mode in re.findall(r'"defaultMode": (\d+)', text)), name  # 0440: owner and group
    assert used.keys() == made.keys()
    paths = set(re.findall(r"/certs/([\w.-]+)", json.dumps([document for _, document in ALL])))
    assert paths <= made["gbdist-tls"]
    assert "--tls=/certs" in json.dumps(manifest("job.yaml"))
    assert made["gbdist-tls-client"] == {"ca.pem", "client.pem", "client-key.pem"}
    assert not any("ca-key.pem" in files for files in made.values())


def allowed(policy: dict[str, Any], source: dict[str, str], namespace: str | None = None) -> set[int]:
    """Ports that a policy opens for a pod of its own namespace, or for any pod of another."""
    ports: set[int] = set()
    for rule in policy["spec"]["ingress"]:
        for peer in rule["from"]:
            if namespace is not None:
                labels = peer.get("namespaceSelector", {}).get("matchLabels", {})
                fits = labels == {"kubernetes.io/metadata.name": namespace}
            else:
                fits = "podSelector" in peer and selects(peer["podSelector"], source)
            if fits:
                ports |= {port["port"] for port in rule["ports"]}
    return ports


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector selects a pod."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", ())
    )


@pytest.mark.parametrize(("cluster", "spec"), clusters(), ids=["cluster.yaml", "job.yaml"])
def test_policy_opens_what_is_needed_and_no_more(cluster: str, spec: dict[str, Any]) -> None:
    made = made_by_the_operator(cluster, spec)
    policies = [document for name, document in ALL if name == "network-policy.yaml"]
    labels = {role: made[role]["spec"]["template"]["metadata"]["labels"] for role in ("scheduler", "worker")}
    labels["job"] = runner(cluster)["metadata"]["labels"]
    labels["client"] = {"gbdist-client": "true"}
    labels["stranger"] = {"app": "something"}
    of = {
        role: next(policy for policy in policies if selects(policy["spec"]["podSelector"], labels[role]))
        for role in ("scheduler", "worker")
    }
    to_scheduler = {role: allowed(of["scheduler"], labels[role]) for role in labels}
    to_worker = {role: allowed(of["worker"], labels[role]) for role in labels}
    assert to_scheduler == {"scheduler": set(), "worker": {8786}, "job": {8786}, "client": {8786}, "stranger": set()}
    both = {8788, 8789}
    assert to_worker == {"scheduler": both, "worker": both, "job": set(), "client": set(), "stranger": set()}
    assert allowed(of["scheduler"], {}, "dask-operator") == {8787}
    assert allowed(of["scheduler"], {}, "monitoring") == allowed(of["worker"], {}, "monitoring") == {8787}
    assert allowed(of["scheduler"], {}, "another") == allowed(of["worker"], {}, "another") == set()


def test_scheduler_serves_what_the_operator_asks() -> None:
    (scheduler,) = manifest("cluster.yaml")["spec"]["scheduler"]["spec"]["containers"]
    env = {each["name"]: each["value"] for each in scheduler["env"]}
    value = env["DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES"]
    routes = dask.config.collect_env({"DASK_ROUTES": value})["routes"]  # as Dask reads it
    usual = dask.config.get("distributed.scheduler.http.routes")
    assert set(routes) == {*usual, "distributed.http.scheduler.api"}

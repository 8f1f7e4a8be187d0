"""The recipes of cluster/deploy/ as tests read them: YAML without repeated keys, compose files put together, Dask's commands."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "cluster/deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = DEPLOY / "compose"
SCRIPTS = ("slurm/train.sbatch", "pbs/train.pbs", "ssh/up.sh")
CERTIFICATES = {"ca.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem"}
"""What may leave the machine that `gbdist cluster certs` has run on: not the key of the authority."""


class OnceLoader(yaml.SafeLoader):
    """YAML in which a key that comes twice is an error, as Kubernetes and Compose have it; PyYAML takes the last."""


def _mapping(loader: OnceLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    assert len(keys) == len(set(keys)), f"{node.start_mark}: a key comes twice in {keys}"
    loader.flatten_mapping(node)
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


OnceLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def documents(path: Path) -> list[Any]:
    """The documents of a YAML file."""
    return list(yaml.load_all(path.read_text(), OnceLoader))


def manifests(*names: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """File name and content of every Kubernetes manifest, or of those that are named."""
    for path in sorted(KUBERNETES.glob("*.yaml")):
        if not names or path.name in names:
            yield from ((path.name, document) for document in documents(path))


def manifest(name: str) -> dict[str, Any]:
    """The one document of a manifest."""
    ((_, document),) = manifests(name)
    return document


def compose(*overrides: str, **variables: str) -> dict[str, Any]:
    """compose.yaml with what is added to it, variables replaced, ``extends`` followed."""
    merged: dict[str, Any] = {}
    for name in ("compose.yaml", *overrides):
        (document,) = documents(COMPOSE / name)
        merged = _merge(merged, _interpolate(document, variables))
    for name, service in merged["services"].items():
        if extends := service.pop("extends", None):
            (document,) = documents(COMPOSE / extends["file"])
            base = _interpolate(document, variables)["services"][extends["service"]]
            merged["services"][name] = _merge(base, service)
    return merged


def _merge(base: Any, added: Any) -> Any:
    """As Compose merges: tables key by key, lists one after the other, all else replaced."""
    if isinstance(base, dict) and isinstance(added, dict):
        return {**base, **{key: _merge(base[key], value) if key in base else value for key, value in added.items()}}
    if isinstance(base, list) and isinstance(added, list):
        return base + [value for value in added if value not in base]
    return added


def _interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolate(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_interpolate(each, variables) for each in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1], found[2]), value)
    return value


def dask_commands() -> list[tuple[str, list[str]]]:
    """Where and what: every `dask scheduler` and `dask worker` of the recipes, word by word, from "scheduler" or "worker" on."""
    found = []
    for overrides in ((), ("compose.tls.yaml",), ("compose.gpu.yaml",)):
        for name, service in compose(*overrides)["services"].items():
            if "command" in service:
                found.append((f"{overrides or 'compose.yaml'}: {name}", shlex.split(service["command"])))
    for name, document in manifests():
        found += [(name, container["args"]) for container in containers(document)]
    for name in SCRIPTS:
        text = re.sub(r"\\\n\s*", " ", (DEPLOY / name).read_text())
        lines = re.findall(r"(?<!`)\bdask (?:scheduler|worker) .*", text)
        found += [(name, shlex.split(line.rstrip().removesuffix("&"))) for line in lines]
    (command,) = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    found.append(("Dockerfile", yaml.safe_load(command)))
    return [(place, words[1:]) for place, words in found if words[0] == "dask"]


def containers(node: Any) -> Iterator[dict[str, Any]]:
    """Every container of a manifest."""
    if isinstance(node, dict):
        yield from node.get("containers", ())
        for value in node.values():
            yield from containers(value)
    elif isinstance(node, list):
        for value in node:
            yield from containers(value)


def environments() -> list[tuple[str, dict[str, str]]]:
    """Where and what: the environment variables of every service, container and script."""
    found = []
    for overrides in ((), ("compose.tls.yaml",), ("compose.gpu.yaml",)):
        for name, service in compose(*overrides)["services"].items():
            found.append((f"{overrides or 'compose.yaml'}: {name}", service.get("environment", {})))
    for name, document in manifests():
        for container in containers(document):
            found.append((name, {each["name"]: each["value"] for each in container.get("env", ())}))
    for name in SCRIPTS:
        text = (DEPLOY / name).read_text().replace("${role}", "WORKER")
        found.append((name, dict(re.findall(r"\b(DASK_\w+)=([^\s\"]*)", text))))
    return found

"""The cluster.toml of each recipe is one that `gbdist cluster up` takes, and asks for what its README says."""

import tomllib
from typing import Any

import pytest

from gbdist_cluster.launch.config import ClusterConfig, configure

from .recipes import DEPLOY

FILES = sorted(str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*.toml"))


def read(name: str) -> tuple[dict[str, Any], ClusterConfig]:
    values = tomllib.loads((DEPLOY / name).read_text())
    return values, configure(values)


def test_every_kind_has_one_with_gpus_and_one_without() -> None:
    assert [f"{kind}/cluster{gpus}.toml" for kind in ("pbs", "slurm", "ssh") for gpus in ("-gpu", "")] == FILES


@pytest.mark.parametrize("name", FILES)
def test_settings_are_taken(name: str) -> None:
    _, config = read(name)
    assert config.kind == name.partition("/")[0]
    assert config.gpus == ("gpu" in name)
    assert (config.is_exposed, config.protocol) == (True, "tls")
    readme = (DEPLOY / name).with_name("README.md").read_text()
    if not config.gpus:
        assert f"--scheduler {config.name} " in readme
        assert f"gbdist cluster down {config.name}\n" in readme
    assert f"gbdist cluster certs {config.tls} " in readme


@pytest.mark.parametrize("kind", ["pbs", "slurm", "ssh"])
def test_gpus_are_all_that_differs(kind: str) -> None:
    plain, _ = read(f"{kind}/cluster.toml")
    gpus, _ = read(f"{kind}/cluster-gpu.toml")
    assert gpus.pop("gpus") is True
    gpus.pop("gpus-per-host", None)
    assert gpus == {**plain, "name": f"{kind}-gpu"}

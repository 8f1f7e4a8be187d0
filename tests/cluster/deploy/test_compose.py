"""The compose files are valid, name what exists, and let in nobody from beyond the machine."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from .recipes import CERTIFICATES, COMPOSE, DEPLOY, ROOT, compose, documents

SCHEMA = json.loads((Path(__file__).parent / "schemas/compose-spec.json").read_text())
FILES = ["compose.yaml", "compose.tls.yaml", "compose.gpu.yaml"]
VARIANTS: list[tuple[str, ...]] = [(), ("compose.tls.yaml",), ("compose.gpu.yaml",)]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.mark.parametrize("name", FILES)
def test_file_is_valid(name: str) -> None:
    (document,) = documents(COMPOSE / name)
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


def test_every_file_is_looked_at() -> None:
    assert sorted(path.name for path in COMPOSE.glob("*.yaml")) == sorted(FILES)


@pytest.mark.parametrize("overrides", VARIANTS)
def test_variant_is_valid(overrides: tuple[str, ...]) -> None:
    merged = compose(*overrides)
    assert [error.message for error in VALIDATOR.iter_errors(merged)] == []
    assert {"scheduler", "worker", "client", "prometheus", "grafana"} <= merged["services"].keys()


@pytest.mark.parametrize(
    "change",
    [
        {"services": {"worker": {"image": "x", "comand": "dask worker"}}},
        {"services": {"worker": {"image": "x", "deploy": {"replicas": "two workers", "x": []}}}},
        {"volumes": {"data": {"drivr": "local"}}},
    ],
)
def test_wrong_file_is_found(change: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors(change))


@pytest.mark.parametrize("overrides", VARIANTS)
def test_names_are_of_what_is_there(overrides: tuple[str, ...]) -> None:
    merged = compose(*overrides)
    services = merged["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys(), name
        for secret in service.get("secrets", ()):
            assert secret in merged["secrets"], name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in merged.get("volumes", {}) or source == "./data" or (COMPOSE / source).exists(), volume
        if build := service.get("build"):
            assert (COMPOSE / build["context"]).resolve() == ROOT
            assert (ROOT / build["dockerfile"]) == DEPLOY / "Dockerfile"
            assert service["image"] == f"gbdist:{build['target']}"
    assert services["worker"]["deploy"]["replicas"] == (1 if "compose.gpu.yaml" in overrides else 2)


def test_nobody_beyond_the_machine_is_let_in() -> None:
    for name, service in compose()["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"
            assert len(set(port.split(":")[1:])) == 1, f"{name} publishes {port}, which documents name once"
    grafana = compose()["services"]["grafana"]["environment"]
    assert grafana["GF_AUTH_BASIC_ENABLED"] == "false"  # nobody logs in, not even with the password that it comes with
    assert grafana["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_containers_have_no_rights_that_they_do_not_need() -> None:
    for overrides in VARIANTS:
        for name, service in compose(*overrides)["services"].items():
            if service["image"].startswith("gbdist:"):
                assert service["user"] == "1000:1000", name
                assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
                assert service["security_opt"] == ["no-new-privileges:true"], name


def test_tls_is_for_all_of_dask() -> None:
    merged = compose("compose.tls.yaml", GBDIST_CERTS="/certificates")
    for name in ("scheduler", "worker", "client"):
        service = merged["services"][name]
        settings = service["environment"]
        assert settings["DASK_SCHEDULER_ADDRESS"] == "tls://scheduler:8786"
        assert settings["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
        files = {value for value in settings.values() if value.startswith("/")}
        assert files == {f"/run/secrets/{secret}" for secret in service["secrets"]}, name
    given = {name: secret["file"] for name, secret in merged["secrets"].items()}
    assert given == {name: f"/certificates/{name}" for name in CERTIFICATES}
    assert "server-key.pem" not in merged["services"]["client"]["secrets"]


def test_each_gpu_has_one_worker() -> None:
    services = compose("compose.gpu.yaml")["services"]
    workers = {name: service for name, service in services.items() if name.startswith("worker")}
    devices = [
        device["device_ids"]
        for service in workers.values()
        for device in service["deploy"]["resources"]["reservations"]["devices"]
    ]
    assert devices == [["0"], ["1"]]
    assert {service["image"] for service in workers.values()} == {"gbdist:cuda"}
    assert services["worker-1"]["command"] == services["worker"]["command"]
    assert {service["deploy"]["replicas"] for service in workers.values()} == {1}


def test_prometheus_asks_services_at_their_ports() -> None:
    (config,) = documents(COMPOSE / "prometheus.yml")
    assert set(config) == {"global", "scrape_configs"}
    services = compose()["services"]
    asked = set()
    for job in config["scrape_configs"]:
        asked |= {target for static in job.get("static_configs", ()) for target in static["targets"]}
        asked |= {f"{name}:{dns['port']}" for dns in job.get("dns_sd_configs", ()) for name in dns["names"]}
        assert all(dns["type"] == "A" for dns in job.get("dns_sd_configs", ()))
    assert asked == {"scheduler:8787", "worker:8787"}
    for target in asked:
        name, _, port = target.partition(":")
        assert f"--dashboard-address :{port}" in services[name]["command"]


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (sources,) = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")
    (providers,) = documents(DEPLOY / "grafana/provisioning/dashboards/gbdist.yaml")
    (source,), (provider,) = sources["datasources"], providers["providers"]
    assert source["url"] == "http://prometheus:9090"
    assert "127.0.0.1:9090:9090" in compose()["services"]["prometheus"]["ports"]
    grafana = compose()["services"]["grafana"]
    mounted = dict(volume.split(":")[1::-1] for volume in grafana["volumes"])
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"] + "/")
    dashboard = COMPOSE / mounted[home]
    asked = {found["uid"] for found in _data_sources(json.loads(dashboard.read_text()))}
    # Either this source by its id, or one that is chosen on the page, which is the default one: this.
    assert {uid for uid in asked if not uid.startswith(("${", "-- "))} <= {source["uid"]}
    assert source["isDefault"]


def _data_sources(node: Any) -> list[dict[str, str]]:
    """Every data source that a dashboard names by its id."""
    if isinstance(node, dict):
        own = [node["datasource"]] if isinstance(node.get("datasource"), dict) and "uid" in node["datasource"] else []
        return own + [found for value in node.values() for found in _data_sources(value)]
    return [found for value in node for found in _data_sources(value)] if isinstance(node, list) else []

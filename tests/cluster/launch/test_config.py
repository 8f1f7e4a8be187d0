"""Settings of a cluster: a table that makes the file, checks it, and refuses what does not fit together."""

import tomllib
from typing import Any

import pytest

from gbdist_cluster.errors import SettingError
from gbdist_cluster.launch.config import KEYS, KINDS, ClusterConfig, configure, is_loopback, template


@pytest.mark.parametrize("kind", KINDS)
def test_file_of_a_kind_can_be_used_as_it_is(kind: str) -> None:
    config = configure(tomllib.loads(template(kind)))
    assert (config.kind, config.workers) == (kind, 4)
    for line in template(kind).splitlines():
        assert len(line) <= 200, line


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_file_is_what_it_says(kind: str) -> None:
    lines = [line.removeprefix("# ") for line in template(kind).splitlines() if " = " in line]
    values = tomllib.loads("\n".join(lines))
    assert set(values) == {key.name for key in KEYS.values() if kind in key.kinds}
    config = configure(values)
    for name, value in values.items():
        found = getattr(config, name.replace("-", "_"))
        assert (list(found) if isinstance(found, tuple) else found) == value


def test_every_field_is_a_setting() -> None:
    fields = set(ClusterConfig.__dataclass_fields__) - {"given"}
    assert {name.replace("_", "-") for name in fields} == set(KEYS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "slrm"}, "--kind='slrm' cannot be used: expected one of local, ssh, slurm, pbs, kubernetes. "),
        (
            {"workers": -1},
            "--workers=-1 cannot be used: expected a whole number of at least 0. For example: workers = 4",
        ),
        ({"workers": True}, "--workers=True cannot be used: expected a whole number"),
        ({"gpus": 1}, "--gpus=1 cannot be used: expected true or false. "),
        ({"hosts": [1]}, "--hosts=[1] cannot be used: expected a list of texts. "),
        ({"port": 70000}, "--port=70000 cannot be used: expected a port between 0 and 65535. "),
        ({"dashboard-address": "8787"}, "--dashboard-address='8787' cannot be used: expected HOST:PORT. "),
        ({"dashboard-address": "a:b"}, "--dashboard-address='a:b' cannot be used: expected HOST:PORT. "),
        ({"queue": "x"}, "--queue='x' cannot be used: expected no such setting for local, as it is for slurm, pbs. "),
        ({"kind": "kubernetes", "tls": "c"}, "--tls='c' cannot be used: expected no such setting for kubernetes"),
        ({"kind": "ssh", "insecure": True}, "--hosts=() cannot be used: expected the machines of the workers. "),
        ({"timeout": 0}, "--timeout=0 cannot be used: expected a number of seconds of at least 0.1. "),
        ({"name": "A"}, "name='A' cannot be used: expected 1 to 52 lower-case letters, digits and hyphens"),
        ({"colour": "red"}, "--colour='red' cannot be used: expected one of name, kind, workers"),
        (
            {"kind": "kubernetes", "service-type": "LoadBalancer"},
            "--service-type='LoadBalancer' cannot be used: expected ClusterIP, as the operator's schedulers speak no TLS. ",
        ),
    ],
)
def test_setting_that_cannot_be_used(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        configure(values)
    assert str(caught.value).startswith(message)


def test_setting_of_a_file_is_named_with_its_line() -> None:
    with pytest.raises(SettingError, match=r"^cluster\.toml:7: port=70000 cannot be used"):
        configure({"port": 70000}, {"port": "cluster.toml:7: port"})


@pytest.mark.parametrize(
    "values", [{"listen": "0.0.0.0"}, {"listen": "node1"}, {"kind": "slurm"}, {"kind": "ssh", "hosts": ["a"]}]
)
def test_scheduler_that_others_reach_needs_certificates(values: dict[str, Any]) -> None:
    with pytest.raises(SettingError) as caught:
        configure(values)
    listen = values.get("listen", "0.0.0.0")
    assert str(caught.value) == (
        f"--listen='{listen}' cannot be used: expected certificates for a scheduler that listens beyond 127.0.0.1. "
        "Make them with: gbdist cluster certs certs --host HOST, and add --tls certs; "
        "or add --insecure, which lets anybody who reaches the port run code as you."
    )
    assert configure({**values, "tls": "certs"}).protocol == "tls"
    assert configure({**values, "insecure": True}).protocol == "tcp"
    assert not configure({**values, "listen": "127.0.0.1"}).is_exposed


def test_local_scheduler_listens_on_the_loopback() -> None:
    assert (configure({}).listen, configure({}).is_exposed) == ("127.0.0.1", False)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("10.0.0.1", False), ("node1", False), (None, False)],
)  # fmt: skip
def test_loopback(host: str | None, loopback: bool) -> None:
    assert is_loopback(host) is loopback

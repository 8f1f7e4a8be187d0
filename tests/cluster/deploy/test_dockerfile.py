"""The Dockerfile uses what is there: stages, files, extras, versions; and its images run as nobody in particular."""

import json
import re
import shlex
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch

import pytest

from .recipes import DEPLOY, KUBERNETES, ROOT, compose, containers, manifests

KNOWN = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@dataclass
class Stage:
    """One stage: what it is built from, and its instructions, those of the stages below first."""

    name: str
    base: str
    own: list[tuple[str, str]] = field(default_factory=list)
    below: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """The instruction that holds: the last one of its kind."""
        return [rest for word, rest in [*self.below, *self.own] if word == instruction][-1]


def parse(text: str) -> tuple[dict[str, str], dict[str, Stage]]:
    """Arguments before the first stage, and the stages by name. Raises where Docker would."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        if not line.strip():
            continue
        word, _, rest = line.strip().partition(" ")
        rest = " ".join(rest.split())
        if word not in KNOWN or not rest:
            raise ValueError(f"unknown instruction: {line}")
        if word == "FROM":
            found = re.fullmatch(r"(\S+) AS ([a-z][a-z0-9-]*)", rest)
            if not found or found[2] in stages:
                raise ValueError(f"a stage needs a name of its own: {line}")
            below = stages.get(found[1])
            stages[found[2]] = Stage(found[2], found[1], below=[*below.below, *below.own] if below else [])
        elif not stages:
            if word != "ARG":
                raise ValueError(f"only ARG may stand before FROM: {line}")
            name, _, value = rest.partition("=")
            arguments[name] = value
        else:
            current = list(stages.values())[-1]
            source = re.search(r"--from=(\S+)", rest)
            if source and (source[1] not in stages or source[1] == current.name):
                raise ValueError(f"there is no stage before it that is called {source[1]}: {line}")
            current.own.append((word, rest))
    return arguments, stages


ARGUMENTS, STAGES = parse((DEPLOY / "Dockerfile").read_text())


@pytest.mark.parametrize(
    "text",
    [
        "FROM x AS a\nCOPPY . .",
        "RUN pip",
        "FROM x",
        "FROM x AS a\nFROM y AS a",
        "FROM x AS a\nCOPY --from=b /x /x",
        "FROM x AS a\nUSER",
    ],
)
def test_wrong_dockerfile_is_found(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_stages_build_on_each_other_or_on_the_pinned_python() -> None:
    assert set(ARGUMENTS) == {"PYTHON_VERSION"}
    for stage in STAGES.values():
        assert stage.base in STAGES or stage.base == "python:${PYTHON_VERSION}-slim-bookworm"
    assert list(STAGES)[-1] == "cpu"  # what is built without --target


def test_python_is_one_that_gbdist_runs_on() -> None:
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert tuple(map(int, ARGUMENTS["PYTHON_VERSION"].split("."))) >= tuple(map(int, lowest.split(".")))


def test_what_is_installed_is_what_the_readme_says() -> None:
    lines = {
        name: re.findall(r"pip install (.*)", rest)
        for name, stage in STAGES.items()
        for word, rest in stage.own
        if word == "RUN" and "pip install" in rest
    }
    readme = (ROOT / "README.md").read_text()
    assert lines["installed-cpu"] == ["."]
    assert "pip install . && gbdist demo" in readme
    assert [shlex.split(line) for line in lines["installed-cuda"]] == [[".[cuda]"]]
    assert 'pip install "gbdist[cuda]"' in readme
    assert "cuda" in PROJECT["project"]["optional-dependencies"]
    assert len(lines) == 2


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file from the build; the last rule that fits decides, and a rule fits what is below it."""
    decision = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        whole = any(fnmatch("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))
        anywhere = "**/" in rule and any(fnmatch(part, pattern) for part in parts)
        if whole or anywhere:
            decision = not rule.startswith("!")
    return decision


def test_all_of_the_package_is_copied_and_nothing_else() -> None:
    sources = [
        source
        for word, rest in STAGES["source"].own
        if word == "COPY"
        for source in rest.split()[:-1]
        if not source.startswith("--")
    ]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    project = PROJECT["project"]
    assert sorted(sources) == sorted([*wheel, "pyproject.toml", project["readme"], *project["license-files"]])
    kept = {"gbdist/boosting/loop.py", "cluster/gbdist_cluster/preload.py", "cli/gbdist_cli/main.py"}
    assert not any(map(ignored, kept))
    for left_out in ("model.cbm", ".git/config", "tests/conftest.py", "cluster/deploy/compose/certs/server-key.pem"):
        assert ignored(left_out), left_out
    assert ignored("gbdist/kernels/__pycache__/cpu.nbi")


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_image_runs_as_nobody_in_particular(target: str) -> None:
    stage = STAGES[target]
    assert stage.last("USER") == "1000:1000"
    created = next(rest for word, rest in stage.below if word == "RUN")
    assert "--uid 1000" in created
    assert "install -d -m 1777 /scratch" in created
    environment = dict(pair.split("=", 1) for word, rest in stage.below if word == "ENV" for pair in shlex.split(rest))
    for name in ("HOME", "TMPDIR", "NUMBA_CACHE_DIR", "DASK_TEMPORARY_DIRECTORY"):
        assert environment[name].startswith("/scratch")
    assert stage.last("VOLUME") == "/scratch"
    (copied,) = [rest for word, rest in stage.own if word == "COPY"]
    assert copied == f"--from=installed-{target} /opt/gbdist /opt/gbdist"


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_health_is_asked_where_it_is_answered(target: str) -> None:
    stage = STAGES[target]
    options, _, command = stage.last("HEALTHCHECK").partition(" CMD ")
    assert all(re.fullmatch(r"--(interval|timeout|start-period|retries)=\d+s?", option) for option in options.split())
    python, dash_c, code = json.loads(command)
    assert (python, dash_c) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    port = re.search(r"127\.0\.0\.1:(\d+)/health", code)
    assert port
    start = json.loads(stage.last("CMD"))
    assert start[start.index("--dashboard-address") + 1] == f":{port[1]}"
    assert port[1] in stage.last("EXPOSE").split()
    assert start[start.index("--port") + 1] in stage.last("EXPOSE").split()


def test_every_port_of_a_recipe_is_one_of_the_image() -> None:
    exposed = set(STAGES["cpu"].last("EXPOSE").split())
    for _, document in manifests():
        for container in containers(document):
            assert {str(port["containerPort"]) for port in container.get("ports", ())} <= exposed
    for service in compose()["services"].values():
        if service["image"].startswith("gbdist:"):
            assert {port.rpartition(":")[2] for port in service.get("ports", ())} <= exposed
            given = re.findall(
                r"--(?:port|worker-port|nanny-port|dashboard-address) :?(\d+)", service.get("command", "")
            )
            assert set(given) <= exposed


def test_images_are_those_that_are_built_or_of_one_version() -> None:
    ours = {f"gbdist:{target}" for target in ("cpu", "cuda")}
    images = {container["image"] for _, document in manifests() for container in containers(document)}
    for overrides in ((), ("compose.tls.yaml",), ("compose.gpu.yaml",)):
        images |= {service["image"] for service in compose(*overrides)["services"].values()}
    assert ours <= images
    for image in images - ours:
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image), image
    for document in (DEPLOY / "Dockerfile", KUBERNETES / "README.md"):
        for target, tag in re.findall(r"--target (\w+) -t (\S+)", document.read_text()):
            assert tag == f"gbdist:{target}"

"""What every kind of cluster must do, whatever it is made of."""

import builtins
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbdist_cluster.errors import CertificateError, ClusterError, SettingError
from gbdist_cluster.launch.config import KINDS, ClusterConfig, configure
from gbdist_cluster.launch.kinds import Launcher, launcher_of

SETTINGS: dict[str, dict[str, Any]] = {
    "local": {},
    "ssh": {"hosts": ["node1", "node2"], "listen": "127.0.0.1"},
    "slurm": {"listen": "127.0.0.1"},
    "pbs": {"listen": "127.0.0.1"},
    "kubernetes": {},
}
MODULES = {"ssh": "asyncssh", "slurm": "dask_jobqueue", "pbs": "dask_jobqueue", "kubernetes": "dask_kubernetes"}
EXTRAS = {"ssh": "ssh", "slurm": "jobqueue", "pbs": "jobqueue", "kubernetes": "kubernetes"}


def config(kind: str, **more: Any) -> ClusterConfig:
    return configure({"kind": kind, **SETTINGS[kind], **more})


def test_every_kind_is_here() -> None:
    assert set(SETTINGS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_number_of_workers(kind: str) -> None:
    assert launcher_of(config(kind, workers=3)).workers == 3
    assert launcher_of(config(kind, workers=0)).workers == 0
    assert launcher_of(config(kind)).workers >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_rendered_is_the_same_again_and_names_the_cluster(kind: str) -> None:
    launcher = launcher_of(config(kind, name="fraud", workers=2, threads=3, memory="5 GiB"))
    text = launcher.render()
    assert text == launcher_of(launcher.config).render()
    assert "fraud" in text
    assert text.endswith("\n")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "kubernetes"])
@pytest.mark.parametrize("more", [{}, {"tls": "certs"}, {"gpus": True}])
def test_what_is_rendered_is_a_script(kind: str, more: dict[str, Any]) -> None:
    text = launcher_of(config(kind, workers=2, **more)).render()
    assert text.startswith("#!")
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, timeout=20)
    assert (checked.returncode, checked.stderr) == (0, "")
    if "tls" in more:
        assert "tls://" in text
        assert f"{Path.cwd()}/certs/server-key.pem" in text


@pytest.mark.parametrize("kind", MODULES)
def test_missing_extra_is_answered_with_its_line(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__
    launcher: Launcher = launcher_of(config(kind))

    def without(name: str, *others: Any) -> Any:
        if name.split(".")[0] == MODULES[kind]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *others)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(ClusterError) as caught:
        launcher.check()
    assert str(caught.value).endswith(f'Install it with: pip install "gbdist[{EXTRAS[kind]}]"')
    assert str(caught.value).startswith(f"Clusters of kind {kind} need the package {MODULES[kind]}")


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_means_what_it_did(kind: str) -> None:
    """dask-jobqueue changes that when it is imported."""
    code = (
        "import signal\nfrom gbdist_cluster.launch.config import configure\n"
        "from gbdist_cluster.launch.kinds import launcher_of\n"
        f"launcher_of(configure({ {'kind': kind, **SETTINGS[kind]}!r})).render()\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    # A process that is started in the background ignores Ctrl-C, and so would this one.
    start = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["local", "ssh", "kubernetes"])
def test_memory_that_is_no_size(kind: str) -> None:
    with pytest.raises(SettingError, match="--memory='lots' cannot be used: expected a size"):
        launcher_of(config(kind, memory="lots")).check()


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_missing_certificates_are_told_before_anything_starts(kind: str, tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"ca\.pem is missing"):
        launcher_of(config(kind, tls=str(tmp_path))).check()

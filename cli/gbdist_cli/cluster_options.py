"""Options that describe a cluster, for ``gbdist cluster up`` and ``render``, and how they are put together with a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.errors import ParameterError
from gbdist.jobs import clusters as jobs
from gbdist_cli import completion
from gbdist_cli.config import read_toml
from gbdist_cli.params import parse_value

NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="The cluster's name.", show_default=False, autocompletion=completion.clusters),
]
ConfigFileOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="CLUSTER.TOML",
        help="A file by gbdist cluster init; what is typed here wins.",
        autocompletion=completion.files(".toml"),
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help=f"{', '.join(jobs.KINDS)}.  [default: local]",
        autocompletion=completion.words(jobs.KINDS),
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the file; may be repeated."),
]


def _option(flag: str, metavar: str | None = None, key: str | None = None, **more: Any) -> Any:
    """The option for a setting, with the words that the file has for it."""
    setting = jobs.KEYS[key or flag]
    kinds = "" if setting.kinds == jobs.KINDS else f" ({', '.join(setting.kinds)})"
    return typer.Option(f"--{flag}", metavar=metavar, help=setting.comment + kinds, show_default=False, **more)


SizeOption = Annotated[int | None, _option("workers", "N")]
ThreadsOption = Annotated[int | None, _option("threads", "N")]
MemoryOption = Annotated[str | None, _option("memory", "SIZE")]
GpusOption = Annotated[bool, _option("gpus")]
HostOption = Annotated[list[str] | None, _option("host", "HOST", key="hosts")]
ListenOption = Annotated[str | None, _option("listen", "ADDRESS")]
PortOption = Annotated[int | None, _option("port", "PORT")]
DashboardOption = Annotated[str | None, _option("dashboard-address", "HOST:PORT")]
TlsFolderOption = Annotated[str | None, _option("tls", "FOLDER")]
InsecureOption = Annotated[bool, _option("insecure")]
TimeoutOption = Annotated[float | None, _option("timeout", "SECONDS")]


def configuration(config: Path | None, typed: Mapping[str, Any], pairs: Sequence[str]) -> jobs.ClusterConfig:
    """The settings of a file with what was typed over them, checked; an error names the file's line or the option."""
    values: dict[str, Any] = {}
    given: dict[str, str] = {}
    if config is not None:
        found = read_toml(config, jobs.KEYS)
        values |= found.values
        given |= {key: f"{place}: {key}" for key, place in found.places.items()}
    for key, value in typed.items():
        if value is not None and value is not False and value != []:
            values[key] = value
            given[key] = {"name": "NAME", "hosts": "--host"}.get(key, f"--{key}")
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ParameterError("--set", pair, "KEY=VALUE", "For example: --set walltime=04:00:00")
        values[key] = _value(key, text)
        given[key] = f"--set {key}"
    return jobs.configure(values, {"hosts": "--host", **given})


def _value(key: str, text: str) -> Any:
    """A typed value: text as it is for a setting of texts, else JSON."""
    wanted = jobs.KEYS[key].type if key in jobs.KEYS else str
    if wanted is str:
        return text
    value = parse_value(text)
    return [value] if wanted is tuple and isinstance(value, str) else value

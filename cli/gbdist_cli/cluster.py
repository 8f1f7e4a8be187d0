"""``gbdist cluster``: clusters that outlive the command which starts them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from gbdist.jobs import clusters as jobs
from gbdist_cli.cluster_options import (
    ConfigFileOption,
    DashboardOption,
    GpusOption,
    HostOption,
    InsecureOption,
    KindOption,
    ListenOption,
    MemoryOption,
    NameArgument,
    PortOption,
    SetOption,
    SizeOption,
    ThreadsOption,
    TimeoutOption,
    TlsFolderOption,
    configuration,
)
from gbdist_cli.options import DebugOption, JsonOption
from gbdist_cli.output import out, table_of

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Start, see and stop clusters of workers: here, over SSH, from a queue, or in Kubernetes.",
)

WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Return when the workers are there, or at once.")]
HostsOption = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="HOST", help="A name or address of the scheduler; may be repeated."),
]


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the file goes.")] = Path("cluster.toml"),
    kind: KindOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a file that describes a cluster, every setting with a comment.

    **Examples**

    * gbdist cluster init
    * gbdist cluster init slurm.toml --kind slurm
    """
    written = jobs.write_template(path, kind or "local", replace=replace)
    out.result("file written", {"file": written, "kind": kind or "local"})
    out.hint(f"edit it, then: gbdist cluster up --config {written}")


@app.command()
def certs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the certificates go.", show_default=False)],
    host: HostsOption = None,
    days: Annotated[int, typer.Option("--days", min=1, help="How long they are valid.")] = 365,
    replace: Annotated[bool, typer.Option("--replace", help="Write over those that are there.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make an authority, and certificates of it for a cluster and its clients.

    Whoever has a certificate of the authority may use the cluster, and nobody else. A client needs ca.pem, client.pem and
    client-key.pem; machines of the cluster need the whole folder but ca-key.pem, at the same path.

    **Examples**

    * gbdist cluster certs certs
    * gbdist cluster certs certs --host node1 --host 10.0.0.1 --days 30
    """
    made = jobs.certificates(folder, tuple(host or ()), days, replace=replace)
    out.result("certificates made", asdict(made))
    out.hint(f"gbdist cluster up {'--listen 0.0.0.0 ' if host else ''}--tls {folder}")


@app.command()
def up(
    name: NameArgument = None,
    config: ConfigFileOption = None,
    kind: KindOption = None,
    workers: SizeOption = None,
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
    gpus: GpusOption = False,
    host: HostOption = None,
    listen: ListenOption = None,
    port: PortOption = None,
    dashboard_address: DashboardOption = None,
    tls: TlsFolderOption = None,
    insecure: InsecureOption = False,
    timeout: TimeoutOption = None,
    setting: SetOption = None,
    wait: WaitOption = True,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Start a cluster, which goes on when this command and its shell have ended.

    **Examples**

    * gbdist cluster up
    * gbdist cluster up big --workers 8 --threads 4 --memory '16 GiB'
    * gbdist cluster up --gpus
    * gbdist cluster up --kind ssh --host node1 --host node2 --tls certs
    * gbdist cluster up --kind slurm --workers 10 --threads 16 --memory '64 GiB' --tls certs --set queue=long
    * gbdist cluster up --config cluster.toml --no-wait
    """
    typed = {
        "name": name,
        "kind": kind,
        "workers": workers,
        "threads": threads,
        "memory": memory,
        "gpus": gpus,
        "hosts": host,
        "listen": listen,
        "port": port,
        "dashboard-address": dashboard_address,
        "tls": tls,
        "insecure": insecure,
        "timeout": timeout,
    }
    facts = jobs.up(configuration(config, typed, setting or ()), say=out.note, wait=wait)
    show(f"cluster {facts.name} is up", facts)
    out.hint(f"gbdist train DATA --target COL --scheduler {facts.name}; stop it with: gbdist cluster down {facts.name}")


@app.command()
def render(
    name: NameArgument = None,
    config: ConfigFileOption = None,
    kind: KindOption = None,
    workers: SizeOption = None,
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
    gpus: GpusOption = False,
    host: HostOption = None,
    listen: ListenOption = None,
    port: PortOption = None,
    dashboard_address: DashboardOption = None,
    tls: TlsFolderOption = None,
    insecure: InsecureOption = False,
    setting: SetOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Print what `up` would start or submit: commands, a job script or a manifest. Nothing is started.

    **Examples**

    * gbdist cluster render --kind slurm --threads 16 --memory '64 GiB' --tls certs > job.sh
    * gbdist cluster render --kind kubernetes --set image=registry.example.org/gbdist:0.1.0 | kubectl apply -f -
    """
    typed = {
        "name": name,
        "kind": kind,
        "workers": workers,
        "threads": threads,
        "memory": memory,
        "gpus": gpus,
        "hosts": host,
        "listen": listen,
        "port": port,
        "dashboard-address": dashboard_address,
        "tls": tls,
        "insecure": insecure,
    }
    out.text(jobs.render(configuration(config, typed, setting or ())))


@app.command()
def down(name: NameArgument = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Stop a cluster, and wait until its processes are gone. Without a name: the only one that there is.

    **Examples**

    * gbdist cluster down
    * gbdist cluster down big
    """
    stopped = jobs.down(name, say=out.note)
    values = asdict(stopped)
    if not out.as_json:  # what is as it should be goes without saying
        values = {
            name: value for name, value in values.items() if value != {"was_running": True, "killed": 0}.get(name)
        }
    out.result(f"cluster {stopped.name} is down", values)


@app.command()
def status(name: NameArgument = None, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Show clusters: all, or one with its workers.

    **Examples**

    * gbdist cluster status
    * gbdist cluster status big --json
    """
    found = jobs.status(name, say=out.note)
    if not found:
        out.result("no clusters", {"clusters": []}, Text("no clusters"))
        out.hint("gbdist cluster up")
        return
    values = {"clusters": [asdict(one) for one in found]}
    tables = [table_of("clusters", [row(one) for one in found])]
    if name is not None and found[0].each:
        tables.append(table_of("workers", [worker_row(one) for one in found[0].each]))
    out.result("clusters", values, Group(*tables))


@app.command()
def scale(
    workers: Annotated[int, typer.Argument(metavar="N", min=0, help="How many workers.", show_default=False)],
    name: NameArgument = None,
    wait: WaitOption = True,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Have N workers from now on. A training run goes on, with those that come and without those that go.

    **Examples**

    * gbdist cluster scale 8
    * gbdist cluster scale 2 big
    """
    facts = jobs.scale(workers, name, say=out.note, wait=wait)
    show(f"cluster {facts.name}", facts)


@app.command()
def logs(
    name: NameArgument = None,
    worker: Annotated[
        str | None, typer.Option("--worker", metavar="NAME", help="Of this worker, by its name or address.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="The last so many.")] = 200,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Print the end of a cluster's log: of its keeper, with all that scheduler and workers have written here.

    **Examples**

    * gbdist cluster logs
    * gbdist cluster logs big --worker 3 -n 50
    """
    found = jobs.logs(name, worker, lines)
    if out.as_json:
        out.result("logs", {"lines": found})
    else:
        out.text("".join(f"{line}\n" for line in found))


def show(title: str, facts: Any) -> None:
    """One cluster."""
    values = asdict(facts)
    if not out.as_json:
        values = {name: value for name, value in row(facts).items() if value != ""}
    out.result(title, values)


def row(facts: Any) -> dict[str, Any]:
    """A cluster in one row of a table."""
    return {
        "name": facts.name,
        "kind": facts.kind,
        "state": facts.state,
        "workers": f"{facts.workers} of {facts.wanted}",
        "threads": facts.threads,
        "memory": size(facts.memory),
        "scheduler": facts.scheduler,
        "dashboard": facts.dashboard,
    }


def worker_row(worker: Any) -> dict[str, Any]:
    """A worker in one row of a table."""
    return {
        "name": worker.name,
        "address": worker.address,
        "threads": worker.threads,
        "memory": size(worker.memory) or "no limit",
        "used": size(worker.used),
    }


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**30:.1f} GiB" if count else ""

"""The console script ``gbdist``: collects the commands, and turns every error into text, a next step and an exit code."""

import os
import signal
import sys
import threading
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gbdist_cli import cluster, compress, cv, demo, doctor, job, model, predict, train, tune
from gbdist_cli import report as page
from gbdist_cli.errors import INTERRUPTED, ending_of, next_step, text_of
from gbdist_cli.output import out


class Commands(TyperGroup):
    """All commands; the only place that catches their errors."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Remember what was typed, for the next step that an error suggests; forget what an earlier command set."""
        out.start(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error ends it with the code that ``errors.ENDINGS`` gives."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if type(error).__module__.split(".")[0] in ("click", "typer"):
                raise  # a word on the command line that was not understood: typer says which, with exit code 2
            raise typer.Exit(report(error, self.command_of(ctx))) from None

    def command_of(self, ctx: Any) -> str:
        """The words of the command that runs, with those of a group: ``cluster up``."""
        words, commands = [], self.commands
        for word in [ctx.invoked_subcommand or "", *out.typed]:
            command = commands.get(word)
            if command is not None and word not in words:
                words.append(word)
                commands = getattr(command, "commands", {})
        return " ".join(words)


def report(error: BaseException, command: str) -> int:
    """Say what went wrong and what to type next; the exit code."""
    ending = ending_of(error)
    if out.debug:
        traceback.print_exception(error)
    out.error(text_of(error), next_step(error, command, out.typed), ending.code, type(error).__name__)
    return ending.code


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"gbdist {version('gbdist')}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def gbdist(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Train CatBoost models on a Dask cluster, on data that no single machine holds."""


app.command("train")(train.train)
app.command("cv")(cv.cv)
app.command("tune")(tune.tune)
app.command("predict")(predict.predict)
app.command("compress")(compress.compress)
app.command("report")(page.report)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(model.app, name="model")
app.add_typer(job.app, name="job")
app.add_typer(cluster.app, name="cluster")


def main() -> None:
    """Run the command line."""
    sys.unraisablehook = press_again
    try:
        app()
    except KeyboardInterrupt:  # between commands: while Python starts or ends
        sys.exit(INTERRUPTED.code)
    finally:
        sys.unraisablehook = sys.__unraisablehook__


def press_again(lost: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that came where Python drops exceptions, such as in Dask's callback of the garbage collector."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

"""``pgf-sensitivity``: the commands and what they share."""

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from pgf_cli import __version__
from pgf_cli.cli import bench, demo, evaluate, inspect, report, run, train, verify
from pgf_cli.cli.exits import Commands, ExitStatus

app = typer.Typer(
    name="pgf-sensitivity",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
app.command(epilog=run.AFTERWORD)(run.run)
app.command()(report.report)
app.command()(inspect.inspect)
app.command()(verify.verify)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(demo.demo)
app.add_typer(bench.bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pgf-sensitivity {__version__}")
        raise typer.Exit


@app.callback()
def commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Exact per-base sensitivity tracks of DNA language models on whole chromosomes, in fixed memory.

    FASTA and checkpoint in; tracks (bedGraph, CSV, bigWig), hits and a certificate of exactness out.

    Exit codes: 0 done; 1 failed, with one line that says why; 2 wrong usage; 130 interrupted.
    """


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    # A job scheduler's TERM cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(prog_name="pgf-sensitivity")
    except Exception as error:
        if {"-v", "--verbose"} & set(sys.argv):
            raise
        said = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
        print(f"error: {said}; this is a bug: please report it with what -v shows", file=sys.stderr)
        sys.exit(ExitStatus.FAILED)

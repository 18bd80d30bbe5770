"""``pgf-sensitivity``: the commands and what they share."""

import sys
from typing import Annotated

import typer

from pgf_cli import __version__
from pgf_cli.cli import bench, demo, evaluate, inspect, report, run, train, verify
from pgf_cli.cli.exits import Commands, ExitStatus, complain, ending
from pgf_cli.cli.output import show_line
from pgf_cli.cli.streams import failure, make_lasting
from pgf_cli.interrupts import ignore, install

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
        show_line(f"pgf-sensitivity {__version__}")
        raise typer.Exit


@app.callback()
def commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Exact per-base sensitivity tracks of DNA language models on whole chromosomes, in fixed memory.

    FASTA and checkpoint in; tracks (bedGraph, CSV, bigWig), hits and a certificate of exactness out.

    Exit codes: 0 done; 1 failed, with one line that says why; 2 wrong usage; 3 done, but the certificate failed;
    130 interrupted; 143 terminated, and 128 + n for any other signal n.
    """


def main() -> None:
    """Run the command line."""
    install()
    make_lasting()
    try:
        status = _finished(_run())
        ignore()
    except KeyboardInterrupt as error:
        ignore()
        status = ending(error, verbose=False)
    sys.exit(status)


def _run() -> int:
    try:
        app(prog_name="pgf-sensitivity")
    except SystemExit as error:
        return ExitStatus.OK if error.code is None else int(error.code)
    except Exception as error:
        return ending(error, verbose=not {"-v", "--verbose"}.isdisjoint(sys.argv))
    return ExitStatus.OK


def _finished(status: int) -> int:
    """The exit code of a command that has done its work, now that what it printed has to be out."""
    error = failure(sys.stdout)
    if error is None or status not in (ExitStatus.OK, ExitStatus.CERTIFICATE):
        return status
    reason = error.strerror or error
    complain(
        f"standard output cannot be written ({reason}): what the command prints is lost, in part or whole; its work is "
        "done and every file that it writes is complete"
    )
    return status or ExitStatus.FAILED

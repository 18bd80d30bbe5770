"""``pgf-sensitivity report``: the terminal report again."""

from pathlib import Path
from typing import Annotated

import typer

from pgf_cli.cli.exits import ExitStatus
from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show
from pgf_cli.options import Option


@with_options
def report(
    prefix: Annotated[Path, Option(positional=True, help="A run's prefix, or any file that it wrote.")],
    check: Annotated[
        bool, Option(help="Compare every output with its SHA-256 instead; exit 1 unless all are unchanged.")
    ] = False,
    *,
    verbose: bool,
) -> None:
    """Print the report of a finished run again, from its files alone.

    With -v every check of the certificate is shown, where else those of a passed one are not.
    """
    from pgf_cli.reports import print_output_states, print_report
    from pgf_cli.tracks.run_files import find_run
    from pgf_cli.tracks.verification import check_outputs_of

    manifest = find_run(prefix)
    if not check:
        show(lambda console: print_report(manifest, console, verbose=verbose))
        return
    states = check_outputs_of(manifest)
    show(lambda console: print_output_states(manifest, states, console))
    if any(state.state != "ok" for state in states):
        raise typer.Exit(ExitStatus.FAILED)

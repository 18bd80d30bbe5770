"""What `report --check` prints: which outputs are still as they were written."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pgf_cli.reports.page import joined, print_prose
from pgf_cli.reports.tables import Column, print_table
from pgf_cli.tracks.verification import OutputState

COLUMNS = (Column("", left=True), Column("file", left=True), Column("", left=True))


def print_output_states(manifest_path: Path, states: Sequence[OutputState], console: Console) -> None:
    """Print a line for each output and whether all are as they were written."""
    rows: list[list[str | Text]] = [
        [Text(state.state, "green" if state.state == "ok" else "bold red"), str(state.path), state.detail]
        for state in states
    ]
    print_table(COLUMNS, rows, console)
    wrong = sum(state.state != "ok" for state in states)
    if wrong:
        said = f"{wrong:,} of {len(states):,} files are not as the run wrote them", "bold red"
    else:
        said = f"all {len(states):,} files are as the run wrote them", "green"
    print_prose(console, joined(said, f", by the sizes and SHA-256 in {manifest_path}"), indent=0)

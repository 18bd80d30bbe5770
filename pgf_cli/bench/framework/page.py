"""An experiment on the terminal: its table, then its finding."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pgf_cli.bench.framework.output import Document

LONGEST_TABLE = 40


def print_outcome(document: Document, console: Console) -> None:
    """Print the claim, a table, and as the last line the finding.

    A table longer than 40 rows gives way to the summary: what was measured is in the CSV.
    """
    console.print(f"{escape(document.experiment)}: {escape(document.title)}", style="bold")
    console.print(f"  claim: {escape(document.claim)}")
    rows = document.table
    if len(rows) > LONGEST_TABLE:
        rows = [{"quantity": name, "value": value} for name, value in document.summary.items()]
    if rows:
        console.print(Padding(_table(rows), (0, 0, 0, 2)))
    console.print(f"{_verdict(document.holds)}{escape(document.finding)}", soft_wrap=True)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        numeric = all(row[name] is None or isinstance(row[name], int | float) for row in rows)
        table.add_column(escape(name.replace("_", " ")), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
    return str(value)


def _verdict(holds: bool | None) -> str:
    return {True: "[green]holds[/green]: ", False: "[bold red]does not hold[/bold red]: ", None: ""}[holds]

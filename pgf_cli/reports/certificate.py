"""The certificate of exactness as a table."""

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pgf_cli.core.certificate import Certificate


def print_certificate(certificate: Certificate, title: str, probe: str, console: Console) -> None:
    """Print every check of a certificate.

    Args:
        certificate: what was found.
        title: what was checked.
        probe: on which bases.
        console: where to print.
    """
    console.print(escape(title), style="bold")
    console.print(f"  on {escape(probe)}; relative errors of the derivative in the 2-norm")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("check", "what was compared", "error", "threshold", ""):
        table.add_column(name, justify="right" if name in ("error", "threshold") else "left")
    for check in certificate.checks:
        verdict = "[green]pass[/green]" if check.passed else "[bold red]FAIL[/bold red]"
        table.add_row(escape(check.name), escape(check.detail), f"{check.error:.1e}", f"{check.threshold:.0e}", verdict)
    console.print(Padding(table, (0, 0, 0, 2)))
    if certificate.passed:
        console.print("[green]passed[/green]: the derivatives are exact to rounding on this machine")
    else:
        console.print(
            "[bold red]FAILED[/bold red]: do not rely on tracks of this model in this number format; "
            "try --dtype float64, and if that fails too, report it with this table"
        )

"""The certificate of exactness as a page of its own, and its checks as a table."""

from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

from pgf_cli.core.certificate import Certificate
from pgf_cli.reports.page import joined, print_prose
from pgf_cli.reports.tables import Column, print_table

COLUMNS = (
    Column("", left=True),
    Column("check", left=True),
    Column("error"),
    Column("threshold"),
    Column("what was compared", left=True),
)


class CheckLine(Protocol):
    """A check, fresh or read back from a manifest."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def detail(self) -> str:
        """What was compared."""
        ...

    @property
    def error(self) -> float:
        """How far apart it came out, relative."""
        ...

    @property
    def threshold(self) -> float:
        """How far apart it may."""
        ...

    @property
    def passed(self) -> bool:
        """Whether it did not."""
        ...


def print_certificate(certificate: Certificate, title: str, probe: str, deep_probe: str, console: Console) -> None:
    """Print every check of a certificate.

    Args:
        certificate: what was found.
        title: what was checked.
        probe: on which bases.
        deep_probe: and on which deep inside; empty where there are none.
        console: where to print.
    """
    print_prose(console, joined((title, "bold")), indent=0, hanging=2)
    print_prose(console, joined(f"on {probe}"))
    if deep_probe:
        print_prose(console, joined(f"and deep inside on {deep_probe}"))
    print_prose(console, joined("relative errors of the derivative in the 2-norm:"))
    print_checks(certificate.checks, console)
    print_prose(console, joined(certificate.precision))
    if certificate.passed:
        said = joined(("passed", "green"), ": the derivatives are exact to rounding on this machine")
    else:
        said = joined(
            ("FAILED", "bold red"),
            ": do not rely on tracks of this model in this number format; try --dtype float64, and if that fails too, "
            "report it with this table",
        )
    print_prose(console, said, indent=0)


def print_checks(checks: Sequence[CheckLine], console: Console) -> None:
    """Print a line for each check, and what it compared beside or below it."""
    rows: list[list[str | Text]] = [
        [
            Text("pass", "green") if check.passed else Text("FAIL", "bold red"),
            check.name,
            f"{check.error:.1e}",
            f"{check.threshold:.1e}",
            check.detail,
        ]
        for check in checks
    ]
    print_table(COLUMNS, rows, console)

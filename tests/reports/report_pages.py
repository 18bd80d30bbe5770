"""The runs that tests of reports share, and their reports as a console shows them."""

import io
from pathlib import Path

from rich.console import Console

from pgf_cli.reports import print_report

LONG_NAME = "a_rather_long_scaffold_name_NW_0123456789.1"
RUNS = {
    "both": ("--mode", "both", "--null", "shuffle", "--trace", "3", "--ghost-distance", "400"),
    "pulses": ("--mode", "tangent", "--pulse", "chr1:100", "--pulse", "chr1:500:T", "--separate"),
    "behind": ("--mode", "adjoint", "--target", "chr1:10-50", "--region", "chr1:201-300"),
}


def page(manifest: Path, width: int, *, verbose: bool = False) -> str:
    """The report as a console of this width shows it, without colours."""
    file = io.StringIO()
    print_report(manifest, Console(file=file, width=width, highlight=False, emoji=False), verbose=verbose)
    return file.getvalue()

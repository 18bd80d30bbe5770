"""``pgf-sensitivity report``: the terminal report again."""

from pathlib import Path
from typing import Annotated

import typer

from pgf_cli.cli.run import show_report


def report(
    prefix: Annotated[Path, typer.Argument(help="A run's prefix, or any file that it wrote.", show_default=False)],
) -> None:
    """Print the report of a finished run again, from its files alone."""
    from pgf_cli.tracks.manifest import find_manifest

    show_report(find_manifest(prefix))

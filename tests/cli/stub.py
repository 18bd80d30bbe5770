"""The command line in a process of its own, with a command that does what a test says: it starts without torch."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import indent
from typing import Any

SCRIPT = """
import os, signal, sys
from pathlib import Path
from pgf_cli.cli.app import app, main
from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_json, show_line
from pgf_cli.cli.streams import say
from pgf_cli.errors import PgfError, advise

@app.command()
@with_options
def stub(*, verbose: bool) -> None:
{body}

sys.argv[1:1] = ["stub"]
main()
"""


def stub_command(body: str, *arguments: str, through: str = "") -> list[str]:
    """Return the command line of a command with this body.

    Args:
        body: Python statements.
        arguments: after the command's name.
        through: a shell's redirections, such as ``2>&-``.
    """
    command = [sys.executable, "-c", SCRIPT.format(body=indent(body, "    ")), *arguments]
    return ["bash", "-c", f'exec "$@" {through}', "bash", *command] if through else command


def run_stub(
    body: str, *arguments: str, through: str = "", folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[Any]:
    """Run it; what it prints comes back as text."""
    return subprocess.run(
        stub_command(body, *arguments, through=through),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )

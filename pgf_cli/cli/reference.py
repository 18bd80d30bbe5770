"""docs/options.md, from the definitions: ``python -m pgf_cli.cli.reference > docs/options.md`` renews it."""

from collections.abc import Iterable, Iterator

from pgf_cli.cli.options import CommandOptions, in_files_and_environment
from pgf_cli.cli.output import show_line
from pgf_cli.options import Definition, definitions_of
from pgf_cli.settings import FIRST, RunSettings

TEXT = """# Options

Written by `python -m pgf_cli.cli.reference > docs/options.md` from the options' definitions (`pgf_cli/settings.py`,
`pgf_cli/cli/options.py`, `pgf_cli/training/settings.py`); a test fails where it is not up to date.

## Options of `run`

An option has one definition. On the command line it is `--name`, in a TOML file (`--config`) the key `name`, in the
environment `PGF_NAME`, and in Python an argument of `RunSettings`. The command line beats the environment, that beats
TOML, and that beats the default. Several values stand with blanks between them in the environment, and as a list in
TOML and Python. FASTA and `--config` stand on the command line alone.
"""

TRAINING = """
## Keys of the TOML of `train`
"""


def reference() -> str:
    """Return the page."""
    from pgf_cli.training.settings import SECTIONS

    run = [*definitions_of(RunSettings).values(), *definitions_of(CommandOptions).values()]
    panels = dict.fromkeys(each.option.panel for each in run)
    lines = [TEXT]
    for panel in panels:
        title = {"": "Arguments", FIRST: "What most runs need"}.get(panel, panel)
        lines += [f"### {title}\n", *_table(each for each in run if each.option.panel == panel)]
    lines.append(TRAINING)
    for name, section in SECTIONS.items():
        lines += [f"### [{name}]\n", *_keys(definitions_of(section).values())]
    return "\n".join(lines).rstrip() + "\n"


def _table(definitions: Iterable[Definition]) -> Iterator[str]:
    yield "| option | argument | values | meaning |"
    yield "|---|---|---|---|"
    arguments = definitions_of(RunSettings)
    for each in definitions:
        flags = each.name.upper() if each.option.positional else each.flag
        short = f"{each.option.short}, " if each.option.short else ""
        only = "" if in_files_and_environment(each) else " (command line only)"
        argument = f"`{each.name}`" if each.name in arguments else ""
        if each.switches_off:
            argument = f"`{each.name}=False`"
        yield _row(f"`{short}{flags}`{only}", argument, "" if each.kind is bool else each.expected, each.help)
    yield ""


def _keys(definitions: Iterable[Definition]) -> Iterator[str]:
    yield "| key | values | meaning |"
    yield "|---|---|---|"
    for each in definitions:
        default = f" Default: {str(each.default).lower()}." if each.kind is bool else ""
        yield _row(f"`{each.key}`", each.expected, each.help + default)
    yield ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    for line in reference().splitlines():
        show_line(line)

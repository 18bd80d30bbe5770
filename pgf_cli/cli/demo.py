"""``pgf-sensitivity demo``: the main job on the sample data."""

from pathlib import Path
from typing import Annotated

import typer

import pgf_cli
from pgf_cli.cli.run import execute, show_report
from pgf_cli.settings import RunSettings

FASTA, CHECKPOINT = "yeast_chrI.fa", "mamba_random.safetensors"


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the results; made if it does not exist.")
    ] = Path("pgf-demo"),
    force: Annotated[bool, typer.Option("--force", help="Replace the results of an earlier demo.")] = False,
) -> None:
    """Run on the sample data and report: a small Mamba along the whole of yeast chromosome I.

    The sample checkpoint has random weights: the demo shows the machinery and no biology.
    """
    sample = sample_data()
    output.mkdir(parents=True, exist_ok=True)
    settings = RunSettings(
        fasta=sample / FASTA, model=sample / CHECKPOINT, output=f"{output}/", formats=("bedgraph", "csv"), force=force
    )
    manifest = execute(settings, {}, quiet=False)
    show_report(manifest)
    typer.echo("\nThe same by hand:")
    typer.echo(f"  pgf-sensitivity run {settings.fasta} --model {settings.model} -o {output}/ --force")


def sample_data() -> Path:
    """Return the folder of the sample data: inside an installed package, or beside it in a checkout."""
    package = Path(pgf_cli.__file__).parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"

"""``pgf-sensitivity inspect``: what a checkpoint is."""

from pathlib import Path
from typing import Annotated

import typer

from pgf_cli.cli.output import show
from pgf_cli.core.choices import Dtype


def inspect(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="File of this tool (.pt or .safetensors), state dict of the paper's operator, or Hugging Face or "
            "mamba_ssm folder.",
            show_default=False,
        ),
    ],
    tile: Annotated[
        int | None,
        typer.Option(
            envvar="PGF_TILE",
            metavar="N",
            min=1,
            help="Bases per tile, for the estimate of memory. Default: as of a run along the contrast.",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        Dtype, typer.Option(envvar="PGF_DTYPE", help="Number format of the computation, for sizes in bytes.")
    ] = "float32",
    alphabet: Annotated[
        str | None,
        typer.Option(
            envvar="PGF_ALPHABET",
            metavar="A=7,C=8,G=9,T=10,N=11",
            help="Token ids of the bases; default: from the checkpoint.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; all sizes in bytes.")] = False,
) -> None:
    """Say what a checkpoint is and what running it takes; exit 1 and say why if it cannot be run.

    Family, sizes, number format, alphabet and where it came from, outputs, tensors that are ignored, the state that
    passes from tile to tile, and about how much memory each mode takes. Only tensors and plain settings are read: no
    code of the checkpoint runs.
    """
    import json
    from dataclasses import asdict

    from pgf_cli.checkpoints import inspect_checkpoint

    inspection = inspect_checkpoint(checkpoint, alphabet, tile, dtype)
    if as_json:
        typer.echo(json.dumps(asdict(inspection), indent=2))
        return
    from pgf_cli.reports import print_inspection

    show(lambda console: print_inspection(inspection, console))

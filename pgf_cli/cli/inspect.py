"""``pgf-sensitivity inspect``: what a checkpoint is."""

from pathlib import Path
from typing import Annotated

from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_json
from pgf_cli.core.choices import Dtype
from pgf_cli.options import Option


@with_options
def inspect(
    checkpoint: Annotated[
        Path,
        Option(
            positional=True,
            help="File of this tool (.pt or .safetensors), state dict of the paper's operator, or Hugging Face or "
            "mamba_ssm folder.",
        ),
    ],
    *,
    tile: int | None,
    dtype: Dtype,
    alphabet: str | None,
    as_json: bool,
    verbose: bool,
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
        show_json(json.dumps(asdict(inspection), indent=2))
        return
    from pgf_cli.reports import print_inspection

    show(lambda console: print_inspection(inspection, console))

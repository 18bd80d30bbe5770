"""``pgf-sensitivity inspect``: what a checkpoint is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_json
from pgf_cli.core.choices import Dtype
from pgf_cli.options import Option
from pgf_cli.settings import LONGEST_RECORD

if TYPE_CHECKING:
    from pgf_cli.checkpoints.errors import Refused
    from pgf_cli.checkpoints.inspection import Lengths

MILLION = 1_000_000


@with_options
def inspect(
    checkpoint: Annotated[
        Path,
        Option(
            positional=True,
            help="File (.pt, .ckpt, .bin, .safetensors) of this tool, of bare tensors or of another program's, or "
            "Hugging Face or mamba_ssm folder.",
        ),
    ],
    fasta: Annotated[
        Path | None,
        Option(positional=True, help="FASTA whose records the memory and disk are for. Default: see --length."),
    ] = None,
    length: Annotated[
        int | None,
        Option(
            metavar="N",
            lowest=1,
            highest=LONGEST_RECORD,
            help=f"Bases of one record that the memory and disk are for. Default: the FASTA's, or {MILLION:,}.",
        ),
    ] = None,
    *,
    model_family: str | None,
    tile: int | None,
    dtype: Dtype,
    alphabet: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Say what a checkpoint is and what running it takes; exit 1 and say why if it cannot be run.

    Family and what told it, sizes, number format, alphabet and where it came from, outputs, objectives, tensors that
    are ignored, one sweep or layer by layer, the state that passes from tile to tile, and about how much memory and
    disk each mode takes. Of a model that cannot be run: what it is, the first layer that cannot be streamed, why, and
    what to do instead. Only tensors and plain settings are read: no code of the checkpoint runs.
    """
    import json
    from dataclasses import asdict

    from pgf_cli.checkpoints import CheckpointError, inspect_checkpoint

    try:
        inspection = inspect_checkpoint(
            checkpoint, alphabet, tile, dtype, lengths=_lengths(fasta, length), model_family=model_family
        )
    except CheckpointError as error:
        if error.refused is not None:
            _show_refusal(checkpoint, error.refused, as_json=as_json)
        raise
    if as_json:
        show_json(json.dumps(asdict(inspection), indent=2))
        return
    from pgf_cli.reports import print_inspection

    show(lambda console: print_inspection(inspection, console))


def _lengths(fasta: Path | None, length: int | None) -> "Lengths":
    from pgf_cli.checkpoints.inspection import Lengths
    from pgf_cli.genome import Genome

    if fasta is None or length is not None:
        return Lengths(length or MILLION, length or MILLION)
    with Genome.open(fasta) as genome:
        lengths = list(genome.lengths.values())
    return Lengths(sum(lengths), max(lengths))


def _show_refusal(checkpoint: Path, refused: "Refused", *, as_json: bool) -> None:
    """Show the page that an error's line is the short form of."""
    import json
    from dataclasses import asdict

    if as_json:
        show_json(json.dumps({"path": str(checkpoint), "refused": asdict(refused)}, indent=2))
        return
    from pgf_cli.reports import print_refusal

    show(lambda console: print_refusal(str(checkpoint), refused, console))

"""``pgf-sensitivity demo``: the main job on the sample data, and what its contributions say about the annotation."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

from pgf_cli.cli.exits import advising
from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_line
from pgf_cli.cli.run import execute, show_report
from pgf_cli.cli.streams import say
from pgf_cli.core.choices import ReadStrand
from pgf_cli.options import Option
from pgf_cli.sample_folder import sample_data
from pgf_cli.settings import RunSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pgf_cli.hits import SiteComparison

FASTA, ANNOTATION, CHECKPOINT = "arabidopsis_heldout.fa", "arabidopsis_heldout.gff3.gz", "mamba_arabidopsis.safetensors"
UNTRAINED_SEEDS = (0, 1, 2)
REVERSE = ".reverse"
TRAINED = re.compile(r"step [1-9][\d,]* of [\d,]+ of training")
"""How the note of a checkpoint begins that ``train`` wrote after a step or more."""


@with_options
def demo(
    output: Annotated[
        Path, Option(short="-o", metavar="DIR", help="Folder for the results; made if it does not exist.")
    ] = Path("pgf-demo"),
    *,
    force: bool,
    verbose: bool,
) -> None:
    """Run on the sample data and report: a small trained Mamba along a stretch that was held out of its training.

    Then compare contributions at annotated splice donors and start codons with those at the same letters elsewhere,
    each gene on its own strand, for the trained weights and for three draws of untrained ones: the claim is the
    difference. That takes seven more runs, of the adjoint alone: the other strand, and both strands for every draw.
    Their files, and the untrained checkpoints, are left in the same folder.
    """
    with advising("give the same command with --force to start again", overruling=True):
        _demonstrate(output, force=force)


def _demonstrate(output: Path, *, force: bool) -> None:
    sample = sample_data()
    fasta, trained = sample / FASTA, sample / CHECKPOINT
    output.mkdir(parents=True, exist_ok=True)
    settings = RunSettings(fasta=fasta, model=trained, output=f"{output}/", formats=("bedgraph", "csv"), force=force)
    manifest = execute(settings, {}, quiet=False)
    show_report(manifest)
    # The main run has swept the forward strand with the trained weights already.
    _sweep(settings, trained, "reverse", "")
    for seed in UNTRAINED_SEEDS:
        untrained = output / f"untrained-{seed}.safetensors"
        save_untrained(trained, untrained, seed)
        for strand in get_args(ReadStrand):
            _sweep(settings, untrained, strand, f".untrained-{seed}")
    _show(sample, compare(fasta, sample / ANNOTATION, settings.prefix))
    show_line()
    show_line("The main job by hand:")
    show_line(f"  pgf-sensitivity run {fasta} --model {trained} -o {output}/ --force")


def _sweep(main: RunSettings, model: Path, strand: ReadStrand, weights: str) -> None:
    """Write the contributions of one strand, named after the main run."""
    say(f"for the comparison: contributions of {model.name}, {strand} strand")
    prefix = f"{main.prefix}{weights}{REVERSE if strand == 'reverse' else ''}"
    settings = RunSettings(
        fasta=main.fasta, model=model, output=prefix, mode="adjoint", strand=strand, force=main.force
    )
    execute(settings, {}, quiet=False)


def save_untrained(checkpoint: Path, path: Path, seed: int) -> None:
    """Write initial weights of a Mamba's architecture, drawn as training draws them."""
    from pgf_cli.checkpoints import read_checkpoint, save_checkpoint
    from pgf_cli.core.models import MambaConfig
    from pgf_cli.training import initial_weights

    read = read_checkpoint(checkpoint)
    config = read.config_as(MambaConfig)
    note = f"random weights, seed {seed}: not trained"
    save_checkpoint(path, config, initial_weights(config, seed), read.base_ids, note)


def compare(fasta: Path, annotation: Path, prefix: Path) -> "list[SiteComparison]":
    """Compare annotated sites with look-alikes, from the contributions that the runs wrote.

    Args:
        fasta: the sequence, of one record.
        annotation: its GFF3.
        prefix: of the main run.
    """
    from pgf_cli.genome import Genome, read_genes
    from pgf_cli.hits import DONORS, STARTS, StrandTracks, compare_sites

    with Genome.open(fasta) as genome:
        genes = read_genes(annotation, genome.lengths)
        record = genome.record(genome.names[0])[:]

    def tracks(weights: str) -> StrandTracks:
        names = (f"{prefix.name}{weights}{strand}.contribution.bedgraph" for strand in ("", REVERSE))
        return StrandTracks(*(contributions(prefix.with_name(name), len(record)) for name in names))

    trained, untrained = tracks(""), [tracks(f".untrained-{seed}") for seed in UNTRAINED_SEEDS]
    return [compare_sites(motif, record, genes, trained, untrained) for motif in (DONORS, STARTS)]


def contributions(path: Path, length: int) -> "NDArray[np.float64]":
    """Return the values (L,) of a per-base bedGraph of one record, NaN where it has no line."""
    import numpy as np
    import polars as pl

    rows = pl.read_csv(path, separator="\t", has_header=False, new_columns=["chrom", "start", "end", "value"])
    values = np.full(length, np.nan)
    values[rows["start"].to_numpy()] = rows["value"].to_numpy()
    return values


def describe(checkpoint: Path) -> str:
    """Return a checkpoint's name and what it says of itself, and a warning where it does not say it was trained."""
    from pgf_cli.checkpoints import read_checkpoint

    note = read_checkpoint(checkpoint).note or "no note"
    warning = "" if TRAINED.match(note) else " (UNTRAINED, or its training is unknown: it can show nothing learnt)"
    return f"{checkpoint.name}: {note}{warning}"


def _show(sample: Path, comparisons: "list[SiteComparison]") -> None:
    from pgf_cli.reports import print_demonstration

    seeds = ", ".join(map(str, UNTRAINED_SEEDS))
    about = [
        ("sequence", f"{sample / FASTA}, annotated by {ANNOTATION}"),
        ("trained", describe(sample / CHECKPOINT)),
        ("untrained", f"initial weights of the same architecture, as training draws them; seeds {seeds}"),
    ]
    show(lambda console: print_demonstration(comparisons, about, console))

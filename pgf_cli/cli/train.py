"""``pgf-sensitivity train``: fit a small Mamba with exact gradients of whole samples."""

from pathlib import Path
from typing import Annotated

from pgf_cli.cli.exits import advising
from pgf_cli.cli.options import with_options
from pgf_cli.errors import UsageError
from pgf_cli.options import Option


@with_options
def train(
    fasta: Path,
    config: Annotated[
        Path,
        Option(
            metavar="TOML",
            help="What to train and on what: sections [model], [data] and [optimiser]; examples in configs/.",
        ),
    ],
    output: Annotated[
        Path,
        Option(
            short="-o",
            metavar="CKPT",
            help="Checkpoint to write, .safetensors or .pt; beside it CKPT's name with .train.csv and .train.pt.",
        ),
    ],
    *,
    resume: bool,
    force: bool,
    threads: int | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Train a Mamba language model to predict the next base, with exact gradients of whole samples.

    Nothing is truncated: state and adjoint cross every tile of a sample, in memory that does not grow with its length.
    The same TOML, FASTA and machine give the same weights for any number of threads and however often the training was
    broken off and resumed. Losses are in bits per base: 2 is a guess; N is read and never predicted.

    Writes CKPT, replaced whole every `save-every` steps; NAME.train.csv, the log (step counted from 1, bases read,
    loss of the step's batch, held_out loss where measured, learning_rate, seconds); and NAME.train.pt, for --resume.
    Regions in the TOML are 1-based inclusive.
    """
    if resume and force:
        raise UsageError("--resume goes on with a run and --force replaces it; give one of them")
    from pgf_cli.cli.progress import progress_for
    from pgf_cli.genome import Genome
    from pgf_cli.training import TrainingFiles, read_settings
    from pgf_cli.training import train as fit

    settings, files = read_settings(config), TrainingFiles.beside(output)
    with (
        advising("give the same command with --resume to go on from the last checkpoint"),
        Genome.open(fasta) as genome,
    ):
        fit(settings, genome, files, progress_for(quiet=quiet), resume=resume, force=force, threads=threads)

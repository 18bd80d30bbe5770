"""``pgf-sensitivity train``: fit a small Mamba with exact gradients of whole samples."""

from pathlib import Path
from typing import Annotated

import typer

from pgf_cli.cli.exits import advising
from pgf_cli.cli.output import VerboseOption
from pgf_cli.errors import UsageError


def train(
    fasta: Annotated[Path, typer.Argument(help="FASTA, plain or bgzip-compressed.", show_default=False)],
    config: Annotated[
        Path,
        typer.Option(
            metavar="TOML",
            show_default=False,
            help="What to train and on what: sections [model], [data] and [optimiser]; examples in configs/.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="CKPT",
            show_default=False,
            help="Checkpoint to write, .safetensors or .pt; beside it CKPT's name with .train.csv and .train.pt.",
        ),
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of a run that was broken off.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the files of an earlier run.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            "-p",
            "--threads",
            envvar="PGF_THREADS",
            metavar="N",
            min=1,
            help="Worker threads; the weights do not depend on them. Default: every processor.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
    verbose: VerboseOption = False,
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
    go_on = "give the same command with --resume to go on from the last checkpoint"
    with advising(go_on), Genome.open(fasta) as genome:
        fit(settings, genome, files, progress_for(quiet=quiet), resume=resume, force=force, threads=threads)

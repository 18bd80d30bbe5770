"""A checkpoint against Markov models that were fitted on the bases it learnt from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from pgf_cli.checkpoints import AlphabetError, read_checkpoint
from pgf_cli.core.models import StreamingModel
from pgf_cli.genome import Genome, Region
from pgf_cli.progress import Progress
from pgf_cli.training.errors import NoPredictionError, TrainingDataError
from pgf_cli.training.evaluation import Score, score_sequence
from pgf_cli.training.gradients import TILE
from pgf_cli.training.markov import MarkovScore, compare_orders
from pgf_cli.training.samples import training_bases
from pgf_cli.training.settings import DataSettings


@dataclass(frozen=True)
class RegionScore:
    """A region, 1-based inclusive as text, and how well it was predicted."""

    region: str
    predicted: int
    bits_per_base: float


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts some regions, each read as a sequence of its own, and how well Markov models do."""

    regions: tuple[RegionScore, ...]
    predicted: int
    """Bases predicted in all of them: neither N nor a region's first."""
    bits_per_base: float
    markov: tuple[MarkovScore, ...]
    """By order, on the same bases; empty unless asked for."""


def evaluate(
    model: StreamingModel,
    genome: Genome,
    regions: Sequence[Region],
    progress: Progress,
    markov: tuple[Genome, DataSettings] | None = None,
) -> Evaluation:
    """Measure a model, and Markov models for comparison, in bits per base.

    Args:
        model: a causal language model whose output is ``logprobs``.
        genome: what the regions are of.
        regions: at least one.
        progress: told of every tile.
        markov: the genome and the data settings of a training run, on whose training bases, on the same strands, Markov
            models are fitted; None fits none.

    Raises:
        AlphabetError: the regions have N and the model has no token for it.
        TrainingDataError: nothing in the regions can be predicted.
        PgfError: the regions or the training bases cannot be read.
    """
    _check_letters(model, genome, regions)
    progress.begin(sum(region.end - region.start for region in regions))
    try:
        scores = list(_model_scores(model, genome, regions, progress))
    finally:
        progress.end()
    total = sum(scores, Score())
    if not total.predicted:
        raise TrainingDataError(f"{genome.path}: the regions hold nothing to predict; give longer ones, not only of N")
    rows: list[MarkovScore] = []
    if markov is not None:
        source, data = markov
        progress.message("fitting Markov models of order 1 to 12")
        sequences = [genome.record(region.contig)[region.start : region.end] for region in regions]
        stretches = training_bases(source, data).stretches
        rows = compare_orders(source, stretches, sequences, both_strands=data.reverse_complements)
    named = zip(regions, scores, strict=True)
    by_region = tuple(RegionScore(str(region), score.predicted, score.bits) for region, score in named)
    return Evaluation(by_region, total.predicted, total.bits, tuple(rows))


def load_language_model(path: Path, alphabet: str | None, model_family: object = None) -> StreamingModel:
    """Read a checkpoint as a model in float32 whose output is ``logprobs``.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        NoPredictionError: it has no head, or reads in both directions.
    """
    checkpoint = read_checkpoint(path, alphabet, model_family)
    if "logprobs" not in checkpoint.output_layers:
        raise NoPredictionError(path)
    model = checkpoint.build("logprobs", torch.float32, torch.device("cpu"))
    if not isinstance(model, StreamingModel):
        raise NoPredictionError(path, "reads in both directions, so no base is predicted from those before it")
    return model


def _check_letters(model: StreamingModel, genome: Genome, regions: Sequence[Region]) -> None:
    for region in regions:
        counts = genome.record(region.contig).counts(region.start, region.end)
        if not model.reads_n and counts.n + counts.iupac:
            raise AlphabetError(
                f"{genome.path}: {region} has {counts.n + counts.iupac:,} N or IUPAC codes, and the checkpoint has no "
                "token for N; name one with --alphabet, or evaluate regions without N"
            )


def _model_scores(
    model: StreamingModel, genome: Genome, regions: Sequence[Region], progress: Progress
) -> Iterator[Score]:
    for region in regions:
        advance = partial(progress.advance, doing=f"predicting {region}")
        yield score_sequence(model, genome.record(region.contig), region.start, region.end, TILE, advance)

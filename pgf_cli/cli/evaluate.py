"""``pgf-sensitivity evaluate``: how well a checkpoint predicts bases, beside Markov models."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show_json, show_line
from pgf_cli.errors import UsageError
from pgf_cli.options import Option

if TYPE_CHECKING:
    from pgf_cli.training import Evaluation


@with_options
def evaluate(
    fasta: Path,
    model: Path,
    regions: Annotated[
        tuple[str, ...],
        Option(
            flag="--region",
            metavar="REGION",
            help="What to predict, 1-based inclusive; repeatable. Default: every record, or with --config what it "
            "holds out.",
        ),
    ] = (),
    config: Annotated[
        Path | None,
        Option(
            metavar="TOML",
            help="TOML of `train`: compare with Markov models of order 1 to 12 fitted on what it learns from.",
        ),
    ] = None,
    train_fasta: Annotated[
        Path | None, Option(metavar="FASTA", help="What the TOML was trained on, if not the FASTA to predict.")
    ] = None,
    *,
    model_family: str | None,
    alphabet: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Print how many bits per base a checkpoint needs for regions that it has not seen; 2 is a guess, fewer is better.

    Each region is read as a sequence of its own; its first base and N are not predicted. With --config, Markov models
    of order 1 to 12 predict the same bases, after counting in the same training bases on the same strands; each order
    has the pseudocount that predicts the tail of the training bases best. That takes some 800 MB of memory.
    """
    import json
    from dataclasses import asdict

    from pgf_cli.cli.progress import progress_for
    from pgf_cli.core.threads import available_threads, set_threads
    from pgf_cli.genome import Genome, Region, parse_region
    from pgf_cli.training import evaluate as measure
    from pgf_cli.training import held_out_regions, load_language_model, read_settings

    if train_fasta is not None and config is None:
        raise UsageError("--train-fasta says what --config was trained on; give --config, too")
    set_threads(threads or available_threads())
    network = load_language_model(model, alphabet, model_family)
    data = read_settings(config).data if config else None
    with ExitStack() as files:
        genome = files.enter_context(Genome.open(fasta))
        source = files.enter_context(Genome.open(train_fasta)) if train_fasta else genome
        if regions:
            chosen = [parse_region(text, genome.lengths, str(fasta)) for text in regions]
        elif data is not None and source is genome:
            chosen = list(held_out_regions(genome, data))
            if not chosen:
                raise UsageError(f"--config {config} holds nothing out; name what to predict with --region")
        else:
            chosen = [Region(name, 0, length) for name, length in genome.lengths.items()]
        evaluation = measure(network, genome, chosen, progress_for(quiet=quiet), (source, data) if data else None)
    if as_json:
        show_json(json.dumps({"checkpoint": str(model), "fasta": str(fasta), **asdict(evaluation)}, indent=2))
    else:
        _show(evaluation)


def _show(evaluation: "Evaluation") -> None:
    width = max(len(score.region) for score in evaluation.regions)
    show_line(f"{'region':{width}}  {'bases predicted':>15}  bits per base")
    for score in evaluation.regions:
        show_line(f"{score.region:{width}}  {score.predicted:>15,}  {score.bits_per_base:>13.4f}")
    if len(evaluation.regions) > 1:
        show_line(f"{'all':{width}}  {evaluation.predicted:>15,}  {evaluation.bits_per_base:>13.4f}")
    if not evaluation.markov:
        return
    show_line()
    show_line("Markov order  pseudocount  bits per base")
    best = min(evaluation.markov, key=lambda row: row.bits_per_base)
    for row in evaluation.markov:
        show_line(
            f"{row.order:>12}  {row.pseudocount:>11g}  {row.bits_per_base:>13.4f}{'  best' if row is best else ''}"
        )
    gain = best.bits_per_base - evaluation.bits_per_base
    verdict = f"{abs(gain):.4f} bits per base {'better' if gain > 0 else 'worse'} than"
    show_line()
    show_line(f"The checkpoint is {verdict} the best Markov model.")

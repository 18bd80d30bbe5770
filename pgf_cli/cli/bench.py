"""``pgf-sensitivity bench``: the paper's experiments and our own figures of speed, measured on this machine."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgf_cli.bench.framework.registry import LISTINGS, Listing, listing_of
from pgf_cli.bench.framework.sizes import LENGTH, SPEED, Sizes
from pgf_cli.cli.exits import advising
from pgf_cli.cli.output import VerboseOption, show, show_json, show_line
from pgf_cli.errors import UsageError

if TYPE_CHECKING:
    from pgf_cli.bench.framework.experiment import Effort, Experiment
    from pgf_cli.bench.framework.output import Document

bench = typer.Typer(
    name="bench",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)

QuickOption = Annotated[bool, typer.Option("--quick", help="The part that two cores do in about a minute.")]
ExtendedOption = Annotated[bool, typer.Option("--extended", help="Beyond the published setting; may take hours.")]
OutputOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for the results; made if it does not exist.")
]
SeedOption = Annotated[
    int, typer.Option(envvar="PGF_SEED", metavar="N", min=0, help="Seed of weights, sequences and directions.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("-p", "--threads", envvar="PGF_THREADS", metavar="N", min=1, help="Default: every processor."),
]
TimeOption = Annotated[
    float | None,
    typer.Option(
        "--time",
        metavar="SECONDS",
        min=0.001,
        help="Begin no single run that is expected to take longer; a contestant that would is measured on less, "
        "and its row says so. Default: as the experiment sees fit.",
        show_default=False,
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the results of an earlier measurement.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the JSON instead of a table.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")]

LayersOption = Annotated[int, typer.Option(metavar="N", min=1, help="Layers of the Mamba.")]
ChannelsOption = Annotated[int, typer.Option(metavar="D", min=1, help="Its width.")]
StateOption = Annotated[int, typer.Option(metavar="N", min=1, help="Its state size per channel.")]

FOLDER = Path("bench")


@dataclass(frozen=True)
class Options:
    """What every experiment is asked with."""

    quick: bool
    extended: bool
    output: Path
    seed: int
    threads: int | None
    seconds: float | None
    force: bool
    as_json: bool
    quiet: bool

    @property
    def effort(self) -> "Effort":
        """How much is measured.

        Raises:
            UsageError: both less and more than usual was asked for.
        """
        if self.quick and self.extended:
            raise UsageError("--quick does less than the published setting and --extended more; give one of them")
        return "quick" if self.quick else "extended" if self.extended else "published"


@bench.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """Measure on this machine what the paper and this tool claim; without a name, list the experiments.

    Each writes into a folder: NAME.csv with every single run, NAME.json with machine and versions, and the figure
    NAME.png and NAME.svg. The last line printed states the finding.
    """
    if ctx.invoked_subcommand is None:
        width = max(len(each.name) for each in LISTINGS)
        for each in LISTINGS:
            show_line(f"{each.name:{width}}  {each.title}")


@bench.command()
def speed(
    layers: LayersOption = SPEED.layers,
    channels: ChannelsOption = SPEED.channels,
    state: StateOption = SPEED.state,
    length: Annotated[
        int | None,
        typer.Option(metavar="L", min=1, help="Bases of every sequence. Default: as many as each comparison names."),
    ] = None,
    quick: QuickOption = False,
    extended: ExtendedOption = False,
    output: OutputOption = FOLDER,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    seconds: TimeOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Bases per second and memory beside other ways to the same derivative.

    Ours: primal, tangent along 1, 4 and 8 directions, adjoint with and without states computed twice. Beside them the
    matrix products alone; transformers' Mamba forwards, backwards, with mambapy and under torch.compile; autograd of a
    plain loop, checkpointing of it, and torch.func. All are run in turn in this process, and each derivative is
    compared with ours. torch.compile takes minutes to compile and is left out under --quick.
    """

    def make(_: Listing) -> "Experiment":
        from pgf_cli.bench.studies.speed.study import EXPERIMENT, Wanted, run

        return replace(EXPERIMENT, run=partial(run, wanted=Wanted(Sizes(layers, channels, state), length)))

    options = Options(quick, extended, output, seed, threads, seconds, force, as_json, quiet)
    _measure([listing_of("speed")], options, make)


@bench.command()
def length(
    layers: LayersOption = LENGTH.layers,
    channels: ChannelsOption = LENGTH.channels,
    state: StateOption = LENGTH.state,
    quick: QuickOption = False,
    extended: ExtendedOption = False,
    output: OutputOption = FOLDER,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    seconds: TimeOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Time and peak memory against length, with the fitted slope.

    Both sweeps, over everything and from a single base, on sequences of 10^4 to 10^7 bases; to 2 10^5 under --quick, to
    10^8 under --extended. The adjoint keeps 4 MB of snapshots at any length.
    """

    def make(_: Listing) -> "Experiment":
        from pgf_cli.bench.studies.length.study import EXPERIMENT, run

        return replace(EXPERIMENT, run=partial(run, sizes=Sizes(layers, channels, state)))

    options = Options(quick, extended, output, seed, threads, seconds, force, as_json, quiet)
    _measure([listing_of("length")], options, make)


def _register(listed: Listing) -> None:
    """Add the command of an experiment that has no options of its own."""

    def command(
        quick: QuickOption = False,
        extended: ExtendedOption = False,
        output: OutputOption = FOLDER,
        seed: SeedOption = 0,
        threads: ThreadsOption = None,
        seconds: TimeOption = None,
        force: ForceOption = False,
        as_json: JsonOption = False,
        quiet: QuietOption = False,
        verbose: VerboseOption = False,
    ) -> None:
        _measure([listed], Options(quick, extended, output, seed, threads, seconds, force, as_json, quiet))

    bench.command(listed.name, help=f"{listed.title}.")(command)


for _listed in LISTINGS:
    if _listed.name not in ("speed", "length"):
        _register(_listed)


@bench.command(name="all")
def every(
    quick: QuickOption = False,
    extended: ExtendedOption = False,
    output: OutputOption = FOLDER,
    seed: SeedOption = 0,
    threads: ThreadsOption = None,
    seconds: TimeOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """All experiments, one after the other; --json prints an array."""
    options = Options(quick, extended, output, seed, threads, seconds, force, as_json, quiet)
    with advising("the results of the experiments that were finished are kept"):
        _measure(LISTINGS, options)


def _measure(
    listings: Sequence[Listing],
    options: Options,
    make: "Callable[[Listing], Experiment] | None" = None,
) -> None:
    effort = options.effort
    from pgf_cli.bench.framework.experiment import Setting
    from pgf_cli.bench.framework.output import as_json, perform, prepare
    from pgf_cli.bench.framework.registry import load
    from pgf_cli.cli.progress import progress_for
    from pgf_cli.core.threads import available_threads, set_threads

    prepare([each.name for each in listings], options.output, force=options.force)
    threads = options.threads or available_threads()
    set_threads(threads)
    setting = Setting(effort, options.seed, threads, options.seconds, progress_for(quiet=options.quiet))
    command = ["pgf-sensitivity", *sys.argv[1:]]
    documents = []
    for each in listings:
        experiment = (make or load)(each)
        _, document = perform(each, experiment, setting, options.output, command, force=options.force)
        documents.append(as_json(document))
        if not options.as_json:
            _print(document)
    if options.as_json:
        show_json(documents[0] if len(documents) == 1 else f"[{','.join(documents)}]")


def _print(document: "Document") -> None:
    from pgf_cli.bench.framework.page import print_outcome

    show(lambda console: print_outcome(document, console))

"""``pgf-sensitivity bench``: the paper's experiments and our own figures of speed, measured on this machine."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgf_cli.bench.framework.registry import LISTINGS, Listing, listing_of
from pgf_cli.bench.subjects.sizes import LENGTH, SPEED, Sizes
from pgf_cli.cli.exits import advising
from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_json, show_line
from pgf_cli.errors import UsageError
from pgf_cli.options import Option
from pgf_cli.settings import LONGEST_RECORD

if TYPE_CHECKING:
    from pgf_cli.bench.framework.experiment import Effort, Experiment
    from pgf_cli.bench.framework.output import Document

bench = typer.Typer(
    name="bench",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)

WIDEST, DEEPEST = 2**16, 1024

LayersOption = Annotated[int, Option(metavar="N", lowest=1, highest=DEEPEST, help="Layers of the Mamba.")]
ChannelsOption = Annotated[int, Option(metavar="D", lowest=1, highest=WIDEST, help="Its width.")]
StateOption = Annotated[int, Option(metavar="N", lowest=1, highest=WIDEST, help="Its state size per channel.")]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every experiment can be asked with: each field is an option of every command."""

    quick: Annotated[bool, Option(help="The part that two cores do in about a minute.")] = False
    extended: Annotated[bool, Option(help="Beyond the published setting; may take hours.")] = False
    output: Annotated[
        Path, Option(short="-o", metavar="FOLDER", help="Folder for the results; made if it does not exist.")
    ] = Path("bench")
    seed: int
    threads: int | None
    seconds: Annotated[
        float | None,
        Option(
            flag="--time",
            metavar="SECONDS",
            lowest=0.001,
            highest=1e9,
            help="Begin no single run that is expected to take longer; a contestant that would is measured on less, "
            "and its row says so. Default: as the experiment sees fit.",
        ),
    ] = None
    force: bool
    as_json: bool
    quiet: bool
    verbose: bool

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
@with_options
def speed(
    options: Options,
    layers: LayersOption = SPEED.layers,
    channels: ChannelsOption = SPEED.channels,
    state: StateOption = SPEED.state,
    length: Annotated[
        int | None,
        Option(
            metavar="L",
            lowest=1,
            highest=LONGEST_RECORD,
            help="Bases of every sequence. Default: as many as each comparison names.",
        ),
    ] = None,
) -> None:
    """Bases per second and memory beside other ways to the same derivative.

    Ours: primal, tangent along 1, 4 and 8 directions, adjoint with and without states computed twice. Beside them the
    matrix products alone; transformers' Mamba forwards, backwards, with mambapy and under torch.compile; autograd of a
    plain loop, checkpointing of it, and torch.func. All are run in turn in this process, and each derivative is
    compared with ours. torch.compile takes minutes to compile and is left out under --quick.
    """

    def make(_: Listing) -> "Experiment":
        from pgf_cli.bench.studies.speed.study import EXPERIMENT, Wanted, run

        return replace(EXPERIMENT, run=partial(run, wanted=Wanted(Sizes(layers, channels, state), length=length)))

    _measure([listing_of("speed")], options, make)


@bench.command()
@with_options
def length(
    options: Options,
    layers: LayersOption = LENGTH.layers,
    channels: ChannelsOption = LENGTH.channels,
    state: StateOption = LENGTH.state,
) -> None:
    """Time and peak memory against length, with the fitted slope.

    Both sweeps, over everything and from a single base, on sequences of 10^4 to 10^7 bases; to 2 10^5 under --quick, to
    10^8 under --extended. The adjoint keeps 4 MB of snapshots at any length.
    """

    def make(_: Listing) -> "Experiment":
        from pgf_cli.bench.studies.length.study import EXPERIMENT, run

        return replace(EXPERIMENT, run=partial(run, sizes=Sizes(layers, channels, state)))

    _measure([listing_of("length")], options, make)


def _register(listed: Listing) -> None:
    """Add the command of an experiment that has no options of its own."""

    @with_options
    def command(options: Options) -> None:
        _measure([listed], options)

    bench.command(listed.name, help=f"{listed.title}.")(command)


for _listed in LISTINGS:
    if _listed.name not in ("speed", "length"):
        _register(_listed)


@bench.command(name="all")
@with_options
def every(options: Options) -> None:
    """All experiments, one after the other; --json prints an array."""
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

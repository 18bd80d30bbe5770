"""``pgf-sensitivity run``: the main job."""

import enum
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from pgf_cli.cli.config import load_config, setting_sources
from pgf_cli.cli.exits import VERBOSE
from pgf_cli.cli.output import show, show_json, show_line
from pgf_cli.cli.streams import say
from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.settings import AdjointTrack, Format, Mode, Null, RunSettings, Strand

if TYPE_CHECKING:
    from pgf_cli.runs import RunPlan

FormatName = enum.StrEnum("FormatName", list(get_args(Format)))  # type: ignore[misc]
AdjointTrackName = enum.StrEnum("AdjointTrackName", list(get_args(AdjointTrack)))  # type: ignore[misc]
"""Choices as typer wants repeatable ones."""

INPUT, WHERE, WHAT, OUTPUT, MACHINE = "Input", "Where", "What is computed", "Output", "Machine"


def _be_verbose(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta[VERBOSE] = wanted
    return wanted


def run(
    ctx: typer.Context,
    fasta: Annotated[Path, typer.Argument(help="FASTA, plain or bgzip-compressed.", show_default=False)],
    model: Annotated[
        Path,
        typer.Option(
            "-m",
            "--model",
            envvar="PGF_MODEL",
            rich_help_panel=INPUT,
            show_default=False,
            help="Checkpoint: .pt or .safetensors of this tool, a Hugging Face or mamba_ssm Mamba folder, or a state "
            "dict of the paper's operator.",
        ),
    ],
    alphabet: Annotated[
        str | None,
        typer.Option(
            envvar="PGF_ALPHABET",
            rich_help_panel=INPUT,
            metavar="A=7,C=8,G=9,T=10,N=11",
            help="Token ids of the bases; default: from the checkpoint.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            callback=load_config,
            is_eager=True,
            rich_help_panel=INPUT,
            metavar="TOML",
            help="Option values by long name; the command line and PGF_* environment variables beat it.",
        ),
    ] = None,
    chroms: Annotated[
        list[str] | None,
        typer.Option(
            "--chrom",
            envvar="PGF_CHROM",
            rich_help_panel=WHERE,
            metavar="NAME",
            help="A whole record; repeatable. Default: every record.",
        ),
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            envvar="PGF_REGION",
            rich_help_panel=WHERE,
            metavar="CHROM:START-END",
            help="What is written, 1-based inclusive, commas allowed; repeatable. Reading still starts at the record's "
            "first base, so a base has the same value whatever was asked.",
        ),
    ] = None,
    bed: Annotated[
        Path | None,
        typer.Option(
            "--regions",
            envvar="PGF_REGIONS",
            rich_help_panel=WHERE,
            metavar="BED",
            help="Regions from a BED file (0-based half-open), gzipped or not. Overlapping ones are merged.",
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            envvar="PGF_CONTEXT",
            rich_help_panel=WHERE,
            metavar="N",
            help="Read only N bases upstream of each region; 0: the region as a sequence of its own.",
        ),
    ] = None,
    strand: Annotated[
        Strand,
        typer.Option(
            envvar="PGF_STRAND",
            rich_help_panel=WHERE,
            help="reverse reads each record's reverse complement; what is written stays in forward coordinates.",
        ),
    ] = "forward",
    direction: Annotated[
        str,
        typer.Option(
            envvar="PGF_DIRECTION",
            rich_help_panel=WHAT,
            metavar="contrast|random[:K]",
            help="Along what to differentiate: x - 1/4 at every base, or K random directions (root mean square).",
        ),
    ] = "contrast",
    pulses: Annotated[
        list[str] | None,
        typer.Option(
            "--pulse",
            envvar="PGF_PULSE",
            rich_help_panel=WHAT,
            metavar="CHROM:POS[:ALT]",
            help="The direction at one base alone (1-based), or towards another base there, a variant; repeatable: "
            "several add up.",
        ),
    ] = None,
    pulses_bed: Annotated[
        Path | None,
        typer.Option(
            "--pulses",
            envvar="PGF_PULSES",
            rich_help_panel=WHAT,
            metavar="BED",
            help="A pulse at every base of every row.",
        ),
    ] = None,
    separate: Annotated[
        bool,
        typer.Option(
            "--separate",
            envvar="PGF_SEPARATE",
            rich_help_panel=WHAT,
            help="A track for each pulse, all in one sweep: PREFIX.response.CHROM_POS[_ALT].bedgraph.",
        ),
    ] = False,
    ghost_distance: Annotated[
        int,
        typer.Option(
            envvar="PGF_GHOST_DISTANCE",
            rich_help_panel=WHAT,
            metavar="W",
            help="The ghost track is the response to what lies at least W bases upstream; 0 switches it off.",
        ),
    ] = 1000,
    null: Annotated[
        Null | None,
        typer.Option(
            envvar="PGF_NULL",
            rich_help_panel=WHAT,
            help="Sweep a dinucleotide-preserving shuffle of each record too, and give hits a false discovery rate.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            envvar="PGF_SEED", rich_help_panel=WHAT, metavar="N", help="Seed of random directions and shuffles."
        ),
    ] = 0,
    mode: Annotated[
        Mode,
        typer.Option(
            envvar="PGF_MODE",
            rich_help_panel=WHAT,
            help="tangent: where the model reacts (response, ghost); adjoint: which bases a score depends on "
            "(contribution); or both.",
        ),
    ] = "both",
    objective: Annotated[
        str | None,
        typer.Option(
            envvar="PGF_OBJECTIVE",
            rich_help_panel=WHAT,
            metavar="loglik|sum|logit:J",
            help="The score that the adjoint explains: log-likelihood of the targets (default with a head), sum of "
            "all outputs (default without), or one logit, J a base or a row of the head.",
        ),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            envvar="PGF_TARGET",
            rich_help_panel=WHAT,
            metavar="CHROM:START-END",
            help="Where the objective is taken, 1-based inclusive; repeatable. Default: everything written.",
        ),
    ] = None,
    adjoint_tracks: Annotated[
        list[AdjointTrackName] | None,
        typer.Option(
            "--track",
            envvar="PGF_TRACK",
            rich_help_panel=WHAT,
            metavar="contribution|norm|max-snv",
            help="Adjoint tracks; repeatable: the gradient at the base that is there (signed; default), its 2-norm "
            "over the four bases, or the strongest substitution's.",
        ),
    ] = None,
    no_gradient_correction: Annotated[
        bool,
        typer.Option(
            "--no-gradient-correction",
            envvar="PGF_NO_GRADIENT_CORRECTION",
            rich_help_panel=WHAT,
            help="Do not subtract the gradient's mean over the four bases.",
        ),
    ] = False,
    output_layer: Annotated[
        OutputLayer | None,
        typer.Option(
            envvar="PGF_OUTPUT_LAYER",
            rich_help_panel=WHAT,
            help="Which output is differentiated: log p(A), p(C), p(G), p(T) in nats (default with a head), all "
            "logits, or the hidden state (default without).",
        ),
    ] = None,
    hits: Annotated[
        int, typer.Option(envvar="PGF_HITS", rich_help_panel=WHAT, metavar="N", help="Hits kept per record.")
    ] = 20,
    trace: Annotated[
        int,
        typer.Option(
            envvar="PGF_TRACE",
            rich_help_panel=WHAT,
            metavar="N",
            help="Follow the N best ghost hits of each record back to their sources: PREFIX.trace.tsv.",
        ),
    ] = 0,
    hit_distance: Annotated[
        int,
        typer.Option(
            envvar="PGF_HIT_DISTANCE",
            rich_help_panel=WHAT,
            metavar="N",
            help="A hit is the highest base within N bases on either side.",
        ),
    ] = 50,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            envvar="PGF_OUTPUT",
            rich_help_panel=OUTPUT,
            metavar="PREFIX",
            help="What every output's name begins with; DIR/ means DIR/STEM. Default: the FASTA's stem, here.",
        ),
    ] = None,
    formats: Annotated[
        list[FormatName] | None,
        typer.Option(
            "-f",
            "--format",
            envvar="PGF_FORMAT",
            rich_help_panel=OUTPUT,
            metavar="bedgraph|csv|bigwig|npz",
            help="Track format; repeatable. Default: bedgraph. npz: hypothetical scores and one-hot sequence of "
            "equally long regions, (N, 4, L), for motif tools.",
        ),
    ] = None,
    bgzip: Annotated[
        bool,
        typer.Option(
            "--bgzip",
            envvar="PGF_BGZIP",
            rich_help_panel=OUTPUT,
            help="Compress bedGraph and CSV in blocks (BGZF, .gz) and index bedGraph for tabix (.tbi, or .csi where a "
            "record is longer than 2^29 bases).",
        ),
    ] = False,
    track_line: Annotated[
        bool,
        typer.Option(
            "--track-line",
            envvar="PGF_TRACK_LINE",
            rich_help_panel=OUTPUT,
            help="Begin bedGraph files with a track line: browsers want it, bedGraphToBigWig rejects it.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", envvar="PGF_FORCE", rich_help_panel=OUTPUT, help="Replace existing outputs.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", rich_help_panel=OUTPUT, help="Check everything, say what would be done, and stop."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print the manifest on stdout, not the report.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", rich_help_panel=OUTPUT, help="No progress and no report; errors only.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            callback=_be_verbose,
            is_eager=True,
            rich_help_panel=OUTPUT,
            help="Show the traceback of an error.",
        ),
    ] = False,
    dtype: Annotated[
        Dtype,
        typer.Option(
            envvar="PGF_DTYPE",
            rich_help_panel=MACHINE,
            help="Number format of the computation; bfloat16: of matrix products alone, the rest is float32.",
        ),
    ] = "float32",
    tile: Annotated[
        int | None,
        typer.Option(
            envvar="PGF_TILE",
            rich_help_panel=MACHINE,
            metavar="N",
            help="Bases per tile: memory grows with it, results differ by rounding only. Default: by the cache's size.",
            show_default=False,
        ),
    ] = 512,
    snapshot_budget: Annotated[
        int,
        typer.Option(
            envvar="PGF_SNAPSHOT_BUDGET",
            rich_help_panel=MACHINE,
            metavar="MB",
            help="What the adjoint may keep of states; with less it reads tiles forwards more than once.",
        ),
    ] = 256,
    snapshots_on_disk: Annotated[
        bool,
        typer.Option(
            "--snapshots-on-disk",
            envvar="PGF_SNAPSHOTS_ON_DISK",
            rich_help_panel=MACHINE,
            help="Keep them in a temporary file beside the outputs.",
        ),
    ] = False,
    device: Annotated[
        str,
        typer.Option(
            envvar="PGF_DEVICE",
            rich_help_panel=MACHINE,
            metavar="auto|cpu|cuda[:I]",
            help="auto is a CUDA device where there are one and Triton, else the CPU.",
        ),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            "-p",
            "--threads",
            envvar="PGF_THREADS",
            rich_help_panel=MACHINE,
            metavar="N",
            help="Worker threads; the output does not depend on them. Default: every processor.",
        ),
    ] = None,
) -> None:
    """Write the exact per-base response of a model, and its ghosts, along every record of a FASTA.

    The **response** at a base says how strongly the model's output there reacts to all bases up to it: the
    2-norm of the derivative along "more of this sequence, less of a uniform one". It is exact, never cut at a tile's
    edge, and takes the same memory for a plasmid and a chromosome. The **ghost** track is the part of it that goes back
    at least W bases: what the model still feels from far upstream. N has no score.

    Writes PREFIX.response.bedgraph and PREFIX.ghost.bedgraph (or .bw, or both tracks in PREFIX.csv), PREFIX.hits.bed,
    PREFIX.hits.tsv, PREFIX.regions.tsv, PREFIX.chrom.sizes and PREFIX.run.json. Files are 0-based half-open; the report
    is 1-based. Every option can be set as PGF_OPTION in the environment.
    """
    settings = RunSettings(
        fasta=fasta, model=model, output=output, formats=_choices(formats) or RunSettings.formats,  # type: ignore[arg-type]
        bgzip=bgzip, track_line=track_line, regions=tuple(regions or ()), bed=bed, chroms=tuple(chroms or ()),
        context=context,
        hits=hits, hit_distance=hit_distance, output_layer=output_layer, alphabet=alphabet, tile=tile, device=device,
        dtype=dtype, threads=threads, force=force, strand=strand, direction=direction, pulses=tuple(pulses or ()),
        pulses_bed=pulses_bed, separate=separate, ghost_distance=ghost_distance, null=null, seed=seed,
        mode=mode, trace=trace, objective=objective, targets=tuple(targets or ()), snapshot_budget=snapshot_budget,
        adjoint_tracks=_choices(adjoint_tracks) or RunSettings.adjoint_tracks,  # type: ignore[arg-type]
        gradient_correction=not no_gradient_correction, snapshots_on_disk=snapshots_on_disk,
    )  # fmt: skip
    if dry_run:
        _describe(settings)
        return
    manifest = execute(settings, setting_sources(ctx), quiet=quiet)
    if as_json:
        show_json(manifest.read_text(encoding="utf-8"))
    elif not quiet:
        show_report(manifest)


def _choices(names: Sequence[enum.StrEnum] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.value for name in names or []))


def execute(settings: RunSettings, sources: dict[str, str], *, quiet: bool) -> Path:
    """Plan and carry out a run; return the path of its manifest."""
    from pgf_cli.cli.progress import progress_for
    from pgf_cli.genome import Genome
    from pgf_cli.runs import Provenance, plan_run
    from pgf_cli.runs import run as carry_out

    with Genome.open(settings.fasta) as genome:
        plan = plan_run(settings, genome)
        _warn_of_dropped(plan)
        manifest = carry_out(plan, Provenance(["pgf-sensitivity", *sys.argv[1:]], sources), progress_for(quiet=quiet))
    _warn_of_failed_checks(manifest)
    return manifest


def show_report(manifest: Path) -> None:
    """Print the report of a finished run on stdout."""
    from pgf_cli.reports import print_report

    show(lambda console: print_report(manifest, console))


def _warn_of_dropped(plan: "RunPlan") -> None:
    dropped = [row for row in plan.selection.requested if not row.kept]
    if dropped:
        first = dropped[0]
        say(
            f"warning: {len(dropped):,} of {len(plan.selection.requested):,} regions are dropped, "
            f"the first {first.region} ({first.reason}); PREFIX.regions.tsv lists them all"
        )


def _warn_of_failed_checks(manifest: Path) -> None:
    from pgf_cli.tracks.manifest import read_manifest

    failed = [check for check in read_manifest(manifest).certificate.checks if not check.passed]
    if failed:
        names = "; ".join(f"{check.name} ({check.error:.1e}, threshold {check.threshold:.0e})" for check in failed)
        say(f"warning: the certificate of exactness failed: {names}; try --dtype float64")


def _describe(settings: RunSettings) -> None:
    from pgf_cli.genome import Genome
    from pgf_cli.runs import plan_run
    from pgf_cli.tracks import check_outputs, readable_bytes

    with Genome.open(settings.fasta) as genome:
        plan = plan_run(settings, genome)
        check_outputs(plan.outputs.values(), force=settings.force, expected_bytes=plan.estimated_bytes)
    show_line(f"would read {plan.to_read:,} bases and score {plan.to_score:,} of them (N left out) in:")
    for span in plan.selection.spans:
        show_line(f"  {span}")
    show_line(f"would write about {readable_bytes(plan.estimated_bytes)} of tracks, and tables, to:")
    for path in plan.outputs.values():
        show_line(f"  {path}")

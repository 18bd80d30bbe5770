"""``pgf-sensitivity run``: the main job."""

import sys
from pathlib import Path

import typer

from pgf_cli.cli.exits import ExitStatus
from pgf_cli.cli.options import CommandOptions, setting_sources, with_options
from pgf_cli.cli.output import show, show_json, show_line
from pgf_cli.cli.streams import say
from pgf_cli.settings import RunSettings

AFTERWORD = f"""
**Files:** PREFIX.TRACK.bedgraph for each track (with --bgzip .bedgraph.gz and its index .tbi or .csi), PREFIX.csv with
a column for each (.csv.gz), PREFIX.TRACK.bw, PREFIX.hypothetical.npz and PREFIX.onehot.npz, by --format. Always
PREFIX.hits.bed, PREFIX.hits.tsv, PREFIX.regions.tsv, PREFIX.chrom.sizes and, last, PREFIX.run.json; with --trace
PREFIX.trace.tsv; PREFIX.parts/ while a run is unfinished. TRACK is contribution (or norm, max-snv), response, ghost;
with --separate response.CHROM_POS or response.CHROM_POS_ALT. Files are 0-based half-open, the report is 1-based.

**Environment:** every option but --config can also be set as PGF_ and its long name, PGF_HIT_DISTANCE=100; several
values stand with blanks between them. The command line beats the environment, and that beats --config.

**Exit codes:** {ExitStatus.OK:d} done; {ExitStatus.FAILED:d} failed; {ExitStatus.USAGE:d} wrong usage;
{ExitStatus.CERTIFICATE:d} done, but the certificate of exactness failed; {ExitStatus.INTERRUPTED:d} interrupted,
{ExitStatus.TERMINATED:d} terminated, 128 + n by another signal n: the error says how to go on.
"""


@with_options
def run(ctx: typer.Context, settings: RunSettings, command: CommandOptions) -> None:
    """Write exact per-base sensitivity tracks of a model along every record of a FASTA, in fixed memory.

    Three tracks, by `--mode`; the default is both. **contribution** (adjoint): the gradient of a score, by default the
    log-likelihood of what is written, at the base that is there: which bases the score depends on, signed.
    **response** (tangent): the 2-norm of the output's derivative along "more of this sequence, less of a uniform one"
    at all bases up to it: where the model reacts. **ghost** (tangent): the part of the response that goes back at
    least W bases. All are exact, never cut at a tile's edge. N has no score. A model that reads in both directions
    (Caduceus) reacts to all bases of its window; its ghosts are of bases W or more away, on either side.
    """
    if command.dry_run:
        _describe(settings)
        return
    manifest = execute(settings, setting_sources(ctx), quiet=command.quiet)
    if command.as_json:
        show_json(manifest.read_text(encoding="utf-8"))
    elif not command.quiet:
        show_report(manifest)
    if not certificate_passed(manifest):
        raise typer.Exit(ExitStatus.CERTIFICATE)


def execute(settings: RunSettings, sources: dict[str, str], *, quiet: bool) -> Path:
    """Carry out a run; return the path of its manifest."""
    from pgf_cli.api.running import run as carry_out
    from pgf_cli.cli.progress import progress_for
    from pgf_cli.runs import Provenance

    progress = progress_for(quiet=quiet)
    if _is_folder(settings):
        progress.message(_of_folder(settings))
    provenance = Provenance(["pgf-sensitivity", *sys.argv[1:]], sources)
    return carry_out(settings, progress=progress, provenance=provenance).manifest_path


def _is_folder(settings: RunSettings) -> bool:
    """Whether the output, given without a slash at its end, is a folder."""
    named = settings.output is not None and settings.folder_to_make is None
    return named and settings.prefix != Path(settings.output or "")


def _of_folder(settings: RunSettings) -> str:
    return f"{settings.output} is a folder: the outputs are {settings.prefix}.*"


def show_report(manifest: Path) -> None:
    """Print the report of a finished run on stdout."""
    from pgf_cli.reports import print_report

    show(lambda console: print_report(manifest, console))


def certificate_passed(manifest: Path) -> bool:
    """Whether a run's certificate passed; say on stderr what failed."""
    from pgf_cli.tracks.manifest import read_manifest

    failed = [check for check in read_manifest(manifest).certificate.checks if not check.passed]
    if failed:
        names = "; ".join(f"{check.name} ({check.error:.1e}, threshold {check.threshold:.0e})" for check in failed)
        say(
            f"warning: the certificate of exactness failed: {names}; try --dtype float64. The outputs are written all "
            f"the same: {manifest} lists them"
        )
    return not failed


def _describe(settings: RunSettings) -> None:
    """Print what a run would do; raise whatever it would refuse."""
    from pgf_cli.genome import Genome
    from pgf_cli.runs import check_run, plan_run
    from pgf_cli.tracks.estimates import readable_bytes

    with Genome.open(settings.fasta) as genome:
        plan = plan_run(settings, genome)
        for warning in plan.warnings:
            say(f"warning: {warning}")
        check_run(plan)
    show_line(f"would read {plan.to_read:,} bases and score {plan.to_score:,} of them (N left out) in:")
    for span in plan.selection.spans:
        show_line(f"  {span}")
    if settings.folder_to_make and not settings.folder_to_make.exists():
        show_line(f"would make the folder {settings.folder_to_make}")
    elif _is_folder(settings):
        show_line(_of_folder(settings))
    show_line(f"would write about {readable_bytes(plan.estimated_bytes)} of tracks, and tables, to:")
    for path in plan.outputs.values():
        show_line(f"  {path}")

"""``pgf-sensitivity run``: the main job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pgf_cli.cli.exits import ExitStatus
from pgf_cli.cli.options import run_settings, setting_sources, with_options
from pgf_cli.settings import RunSettings

if TYPE_CHECKING:
    from pgf_cli.runs import RunPlan

AFTERWORD = """
**Files:** PREFIX.TRACK.bedgraph for each track (with --bgzip .bedgraph.gz and its index .tbi or .csi), PREFIX.csv with
a column for each (.csv.gz), PREFIX.TRACK.bw, PREFIX.hypothetical.npz and PREFIX.onehot.npz, by --format. Always
PREFIX.hits.bed, PREFIX.hits.tsv, PREFIX.regions.tsv, PREFIX.chrom.sizes and, last, PREFIX.run.json; with --trace
PREFIX.trace.tsv; PREFIX.parts/ while a run is unfinished. TRACK is contribution (or norm, max-snv), response, ghost;
with --separate response.CHROM_POS or response.CHROM_POS_ALT. Files are 0-based half-open, the report is 1-based.

**Environment:** every option but --config can also be set as PGF_ and its long name, PGF_HIT_DISTANCE=100; several
values stand with blanks between them. The command line beats the environment, and that beats --config.

**Exit codes:** 0 done; 1 failed; 2 wrong usage; 3 done, but the certificate of exactness failed; 130 interrupted.
"""


@with_options
def run(ctx: typer.Context, **values: Any) -> None:
    """Write exact per-base sensitivity tracks of a model along every record of a FASTA, in fixed memory.

    Three tracks, by `--mode`; the default is both. **contribution** (adjoint): the gradient of a score, by default the
    log-likelihood of what is written, at the base that is there: which bases the score depends on, signed.
    **response** (tangent): the 2-norm of the output's derivative along "more of this sequence, less of a uniform one"
    at all bases up to it: where the model reacts. **ghost** (tangent): the part of the response that goes back at
    least W bases. All are exact, never cut at a tile's edge. N has no score.
    """
    settings = run_settings(values)
    if values["dry_run"]:
        _describe(settings)
        return
    manifest = execute(settings, setting_sources(ctx), quiet=values["quiet"])
    if values["as_json"]:
        typer.echo(manifest.read_text(), nl=False)
    elif not values["quiet"]:
        show_report(manifest)
    if not certificate_passed(manifest):
        raise typer.Exit(ExitStatus.CERTIFICATE)


def execute(settings: RunSettings, sources: dict[str, str], *, quiet: bool) -> Path:
    """Plan and carry out a run; return the path of its manifest."""
    from pgf_cli.cli.progress import progress_for
    from pgf_cli.genome import Genome
    from pgf_cli.runs import Provenance, plan_run
    from pgf_cli.runs import run as carry_out

    with Genome.open(settings.fasta) as genome:
        plan = plan_run(settings, genome)
        _warn_of_dropped(plan)
        return carry_out(plan, Provenance(["pgf-sensitivity", *sys.argv[1:]], sources), progress_for(quiet=quiet))


def show_report(manifest: Path) -> None:
    """Print the report of a finished run on stdout."""
    from pgf_cli.cli.output import show
    from pgf_cli.reports import print_report

    show(lambda console: print_report(manifest, console))


def _warn_of_dropped(plan: "RunPlan") -> None:
    dropped = [row for row in plan.selection.requested if not row.kept]
    if dropped:
        first = dropped[0]
        typer.echo(
            f"warning: {len(dropped):,} of {len(plan.selection.requested):,} regions are dropped, "
            f"the first {first.region} ({first.reason}); PREFIX.regions.tsv lists them all",
            err=True,
        )


def certificate_passed(manifest: Path) -> bool:
    """Whether a run's certificate passed; say on stderr what failed."""
    from pgf_cli.tracks.manifest import read_manifest

    failed = [check for check in read_manifest(manifest).certificate.checks if not check.passed]
    if failed:
        names = "; ".join(f"{check.name} ({check.error:.1e}, threshold {check.threshold:.0e})" for check in failed)
        typer.echo(
            f"warning: the certificate of exactness failed: {names}; try --dtype float64. The outputs are written all "
            f"the same: {manifest} lists them",
            err=True,
        )
    return not failed


def _describe(settings: RunSettings) -> None:
    from pgf_cli.genome import Genome
    from pgf_cli.runs import plan_run
    from pgf_cli.tracks.estimates import readable_bytes
    from pgf_cli.tracks.staging import check_outputs

    with Genome.open(settings.fasta) as genome:
        plan = plan_run(settings, genome)
        _warn_of_dropped(plan)
        check_outputs(plan.outputs.values(), force=settings.force, expected_bytes=plan.estimated_bytes)
    typer.echo(f"would read {plan.to_read:,} bases and score {plan.to_score:,} of them (N left out) in:")
    for span in plan.selection.spans:
        typer.echo(f"  {span}")
    typer.echo(f"would write about {readable_bytes(plan.estimated_bytes)} of tracks, and tables, to:")
    for path in plan.outputs.values():
        typer.echo(f"  {path}")

"""The manifest of a run: everything that it was, did and found."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pgf_cli import __version__
from pgf_cli.core.certificate import Certificate
from pgf_cli.printable import as_utf8
from pgf_cli.runs.certificates import certificate_entry
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.store import Key
from pgf_cli.runs.totals import RunTotals
from pgf_cli.runs.tracks import direction_text, track_entries
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.manifest import (
    SCHEMA,
    FileEntry,
    Manifest,
    ModelCode,
    ModelEntry,
    Setting,
)


@dataclass(frozen=True)
class Provenance:
    """How a run came to be: the command, and where each setting's value came from."""

    command: Sequence[str]
    sources: Mapping[str, str]


@dataclass(frozen=True)
class Course:
    """When a run was carried out, and with how many threads."""

    started: datetime
    seconds: float
    threads: int


def run_manifest(
    plan: RunPlan,
    key: Key,
    provenance: Provenance,
    course: Course,
    certificate: Certificate,
    totals: RunTotals,
    written: Mapping[Path, Path],
) -> Manifest:
    """Return the manifest of a run whose files are written but not yet in place, its records apart.

    Args:
        plan: the run.
        key: what its values depend on.
        provenance: how it came to be.
        course: when it was carried out.
        certificate: of its numbers.
        totals: of the whole run.
        written: where each output's content is, by its final path.
    """
    settings = plan.settings
    return Manifest(
        schema=SCHEMA,
        version=__version__,
        command=[as_utf8(word) for word in provenance.command],
        started=course.started.isoformat(timespec="seconds"),
        seconds=course.seconds,
        mode=settings.mode,
        direction=direction_text(settings, plan.sites),
        strand=settings.strand,
        objective=plan.objective_text,
        gap=totals.gap,
        device=str(plan.model.device),
        threads=course.threads,
        key=dict(key),
        settings={
            name: Setting(plain, provenance.sources.get(name, "default"))
            for name, plain in plain_settings(settings).items()
        },
        model=_model_entry(plan),
        tracks=[
            entry
            for _, entry in track_entries(
                plan.tracks,
                settings,
                plan.sites,
                plan.model.output,
                plan.objective_text,
                both_directions=plan.both_directions,
            )
        ],
        records=[],
        dropped=sum(not row.kept for row in plan.selection.requested),
        certificate=certificate_entry(plan, certificate),
        inputs=[FileEntry(as_utf8(str(file.path)), file.bytes, file.sha256) for file in plan.inputs],
        outputs=[_output_entry(final, staged) for final, staged in written.items()],
    )


def plain_settings(settings: RunSettings) -> dict[str, Any]:
    """Return settings as a manifest holds them."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path | str):
            return as_utf8(str(value))
        return [plain(each) for each in value] if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in asdict(settings).items()}


def _model_entry(plan: RunPlan) -> ModelEntry:
    checkpoint = plan.checkpoint
    own = checkpoint.own_family
    return ModelEntry(
        path=as_utf8(str(checkpoint.path)),
        layout=checkpoint.layout,
        architecture=checkpoint.architecture,
        sizes=asdict(checkpoint.config),
        parameters=sum(parameter.numel() for parameter in plan.model.parameters()),
        alphabet=checkpoint.alphabet,
        alphabet_source=checkpoint.alphabet_source,
        output_layer=plan.model.output,
        note=checkpoint.note,
        ignored=list(checkpoint.ignored),
        stored_as=list(checkpoint.stored_as),
        code=ModelCode(own.name, as_utf8(str(own.source)), own.sha256) if own else None,
    )


def _output_entry(final: Path, staged: Path) -> FileEntry:
    with staged.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(as_utf8(final.name), file.tell(), digest)

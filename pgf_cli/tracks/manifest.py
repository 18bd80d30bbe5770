"""``PREFIX.run.json``: the record of a run, from which its report can be printed again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pgf_cli.errors import PgfError

MANIFEST_SUFFIX = ".run.json"
SCHEMA = 1


class ManifestError(PgfError, ValueError):
    """A manifest that is missing, damaged or not ours."""


@dataclass(frozen=True)
class Setting:
    """A setting's value and where it came from: command line, environment, configuration file or default."""

    value: Any
    source: str


@dataclass(frozen=True)
class FileEntry:
    """A file that a run read or wrote; outputs are named relative to the manifest's folder."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ModelCode:
    """A model family that the user wrote."""

    name: str
    """``package.module:Class``."""
    path: str
    """Its source file."""
    sha256: str
    """Of that file."""


@dataclass(frozen=True)
class ModelEntry:
    """The checkpoint that was run."""

    path: str
    layout: str
    architecture: str
    sizes: dict[str, int | float | bool | None]
    parameters: int
    alphabet: dict[str, int]
    alphabet_source: str
    output_layer: str
    note: str | None
    ignored: list[str]
    """Tensors of the files that are no part of the model."""
    stored_as: list[str] = field(default_factory=list)
    """Number formats of the tensors in the files."""
    code: ModelCode | None = None
    """Where the family is the user's own."""


@dataclass(frozen=True)
class TrackEntry:
    """What a track's number is."""

    name: str
    kind: str
    """response, ghost, contribution, norm or max-snv."""
    quantity: str
    unit: str
    sign: str
    strand: str = "forward"
    """The strand that is read, or average: of both."""


@dataclass(frozen=True)
class TrackSummary:
    """One track over one record's scored bases; None where there are none."""

    median: float | None
    mad: float | None
    minimum: float | None
    maximum: float | None
    strongest: float | None
    """The value of largest magnitude."""
    strongest_position: int | None
    """0-based."""
    bins: list[float | None]
    """Largest magnitude in equal parts of the written stretch, for a sparkline."""


@dataclass(frozen=True)
class GhostEntry:
    """What a ghost hit's numbers say beside the hits table."""

    share: float
    """Of the response at that base, between 0 and about 1."""
    upstream: int
    """How many bases upstream the effect comes from, at least."""


@dataclass(frozen=True)
class ScheduleEntry:
    """How an adjoint sweep was walked back."""

    tiles: int
    snapshots: int
    state_bytes: int
    extra_tiles: int
    """Tiles read forwards beyond the first forward sweep."""
    sweeps: int
    """How many of the record's sweeps were walked so."""


@dataclass(frozen=True)
class AdjointEntry:
    """A record's adjoint."""

    objective: float
    """The objective's value."""
    tangent_total: float | None
    """<w, J v>, by the tangent sweep; None where there was none."""
    adjoint_total: float
    """<J^T w, v>, by the adjoint sweep: the same number but for rounding."""
    gap: float | None
    """Between the two, relative to the larger."""
    schedules: list[ScheduleEntry]
    """The different ones among its sweeps, in their order."""


@dataclass(frozen=True)
class RecordEntry:
    """One record of the FASTA as it was swept; counts are over what was written."""

    name: str
    length: int
    read: int
    """Bases that the model read, upstream context included; each strand's count."""
    written_from: int
    """0-based."""
    written_to: int
    scored: int
    n: int
    soft_masked: int
    iupac: int
    tracks: dict[str, TrackSummary]
    ghosts: dict[str, GhostEntry]
    """By the name of the hit."""
    adjoint: AdjointEntry | None
    """Where both strands are read, of the forward one."""
    seconds: float
    bases_per_second: float
    peak_memory_bytes: int
    """Peak of the whole process so far."""
    adjoint_reverse: AdjointEntry | None = None
    """Where both strands are read, of the reverse one."""


@dataclass(frozen=True)
class CheckEntry:
    """One line of the certificate of exactness."""

    name: str
    detail: str
    error: float
    threshold: float
    passed: bool


@dataclass(frozen=True)
class CertificateEntry:
    """The certificate of exactness on this run's own model and sequence."""

    probe: str
    """Where the probe was taken."""
    probe_bases: int
    deep_probe: str | None
    """Where the second probe was taken, deep inside the sequence; None without one."""
    precision: str | None
    """In plain words: how many digits this number format holds for this model."""
    checks: list[CheckEntry]
    passed: bool


@dataclass(frozen=True)
class Manifest:
    """Everything that a run was, did and found."""

    schema: int
    version: str
    command: list[str]
    started: str
    """ISO 8601, UTC."""
    seconds: float
    mode: str
    direction: str
    strand: str
    objective: str | None
    """In words; None where there is no adjoint."""
    gap: float | None
    """Between the two signed totals of the whole run, relative to the larger."""
    device: str
    threads: int
    key: dict[str, str]
    """Everything that decides the values, in words: a run with the same key has the same ones."""
    settings: dict[str, Setting]
    model: ModelEntry
    tracks: list[TrackEntry]
    records: list[RecordEntry]
    dropped: int
    """Requested regions or records that were dropped; PREFIX.regions.tsv says why."""
    certificate: CertificateEntry
    inputs: list[FileEntry]
    outputs: list[FileEntry]


def record_text(record: RecordEntry) -> str:
    """Return a record as the manifest's text has it: a run of very many keeps no more of each."""
    return json.dumps(asdict(record), allow_nan=False, separators=(",", ":"))


def manifest_text(manifest: Manifest, records: Sequence[str] = ()) -> str:
    """Return the manifest as JSON, a line for each of its parts, and one for each record.

    Args:
        manifest: the manifest.
        records: the texts of further records, after those that it has itself.
    """
    texts = [*map(record_text, manifest.records), *records]
    parts = {name: _part_text(value) for name, value in asdict(replace(manifest, records=[])).items()}
    parts["records"] = "[\n" + ",\n".join(f"    {text}" for text in texts) + "\n  ]" if texts else "[]"
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {text}" for name, text in parts.items()) + "\n}\n"


def _part_text(value: Any) -> str:
    if isinstance(value, dict | list) and value:
        return json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n  ")
    return json.dumps(value, allow_nan=False)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest back.

    Raises:
        ManifestError: there is no such file, or it is not a manifest of this version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ManifestError(
            f"cannot read the manifest {path}: {reason}; name the prefix or any file of a run"
        ) from error
    try:
        return TypeAdapter(Manifest).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise ManifestError(
            f"{path} is not a run manifest that this version reads ({where}: {first['msg']}); run again to make one"
        ) from error


def find_manifest(prefix_or_file: Path) -> Path:
    """Return the manifest of the run that a prefix or any of the run's files belongs to.

    Raises:
        ManifestError: no manifest stands beside it.
    """
    name = prefix_or_file.name
    stems = [name] + [name[:dot] for dot in range(len(name) - 1, 0, -1) if name[dot] == "."]
    if name.endswith(MANIFEST_SUFFIX):
        stems.insert(0, name.removesuffix(MANIFEST_SUFFIX))
    for stem in stems:
        candidate = prefix_or_file.with_name(stem + MANIFEST_SUFFIX)
        if candidate.is_file():
            return candidate
    raise ManifestError(
        f"no run found at {prefix_or_file}: there is no {prefix_or_file}{MANIFEST_SUFFIX}; "
        "name the prefix or any file of a run"
    )

"""Everything that a user can set for a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.errors import UsageError

Format = Literal["bedgraph", "csv", "bigwig", "npz"]

Mode = Literal["tangent", "adjoint", "both"]
AdjointTrack = Literal["contribution", "norm", "max-snv"]
Strand = Literal["forward", "reverse"]
Null = Literal["shuffle"]

LOWEST = {"tile": 1, "hits": 0, "hit_distance": 1, "threads": 1, "context": 0, "ghost_distance": 0, "seed": 0}
LOWEST |= {"snapshot_budget": 1, "trace": 0}

FASTA_SUFFIXES = (".fa", ".fasta", ".fna")
COMPRESSED_SUFFIXES = (".gz", ".bgz")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of one run; the defaults are those of the command line."""

    fasta: Path
    model: Path
    output: str | None = None
    """Prefix of the files to write; ``dir/`` means dir/STEM, None the FASTA's stem in the current folder."""
    formats: tuple[Format, ...] = ("bedgraph",)
    bgzip: bool = False
    """Compress bedGraph and CSV in blocks, and index bedGraph."""
    track_line: bool = False
    regions: tuple[str, ...] = ()
    bed: Path | None = None
    chroms: tuple[str, ...] = ()
    context: int | None = None
    """Bases read upstream of a region; None: from the record's first base."""
    strand: Strand = "forward"
    mode: Mode = "both"
    objective: str | None = None
    """``loglik``, ``sum`` or ``logit:J``; None: loglik with a head, sum without."""
    targets: tuple[str, ...] = ()
    """Regions that the objective is over; none: everything written."""
    adjoint_tracks: tuple[AdjointTrack, ...] = ("contribution",)
    gradient_correction: bool = True
    snapshot_budget: int = 256
    """MB."""
    snapshots_on_disk: bool = False
    trace: int = 0
    """Ghost hits of each record that are followed back to their sources."""
    direction: str = "contrast"
    """``contrast``, ``random`` or ``random:K``; pulses beat it."""
    pulses: tuple[str, ...] = ()
    pulses_bed: Path | None = None
    separate: bool = False
    ghost_distance: int = 1000
    """0: no ghost track."""
    null: Null | None = None
    seed: int = 0
    hits: int = 20
    hit_distance: int = 50
    output_layer: OutputLayer | None = None
    alphabet: str | None = None
    tile: int | None = None
    """Bases per tile; None: as many as the processor's cache suggests."""
    device: str = "auto"
    dtype: Dtype = "float32"
    threads: int | None = None
    """None: every processor that this process may use."""
    force: bool = False
    resume: bool = False
    segment: int = 1 << 20
    """Bases between saved states."""
    probe_depth: int = 65_536

    def __post_init__(self) -> None:
        for name, lowest in LOWEST.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be {lowest} or more")

        if self.bgzip and not {"bedgraph", "csv"} & set(self.formats):
            raise UsageError("--bgzip compresses bedGraph and CSV; add --format bedgraph or csv, or leave it out")
        if self.mode == "tangent" and (self.objective or self.targets):
            raise UsageError("--objective and --target are the adjoint's; add --mode adjoint or --mode both")
        if self.mode == "adjoint" and (self.pulses or self.pulses_bed or self.direction != "contrast"):
            raise UsageError("--pulse, --pulses and --direction are the tangent's; use --mode tangent or --mode both")
        if self.mode == "tangent" and "npz" in self.formats:
            raise UsageError("--format npz holds the adjoint's hypothetical scores; use --mode adjoint or --mode both")
        if self.trace and (self.mode == "adjoint" or not self.ghost_distance):
            raise UsageError("--trace follows ghost hits back; it needs --mode tangent or both, and a --ghost-distance")
        if self.trace and (self.pulses or self.pulses_bed or self.direction != "contrast"):
            raise UsageError("--trace is for the contrast direction: a pulse is its own source")
        self.random_directions  # noqa: B018  raises what is wrong with --direction
        pulsed = bool(self.pulses or self.pulses_bed)
        if pulsed and self.direction != "contrast":
            raise UsageError(f"--direction {self.direction} and pulses exclude each other; leave out one of them")
        if self.separate and not pulsed:
            raise UsageError("--separate needs pulses: give --pulse CHROM:POS or --pulses BED")
        if self.null and pulsed:
            raise UsageError("--null shuffle is for whole directions: a pulse has no place in a shuffled sequence")

    @property
    def track_dtype(self) -> Literal["float32", "float64"]:
        """Number format of the tracks."""
        return "float32" if self.dtype == "bfloat16" else self.dtype

    @property
    def random_directions(self) -> int:
        """How many random directions were asked for; 0 for none.

        Raises:
            UsageError: the direction cannot be read.
        """
        name, colon, count = self.direction.partition(":")
        if name == "contrast" and not colon:
            return 0
        if name == "random" and (not colon or (count.isdecimal() and int(count) > 0)):
            return int(count or 1)
        raise UsageError(f"--direction {self.direction} cannot be read; use contrast, random or random:K (K from 1)")

    @property
    def prefix(self) -> Path:
        """Path that every output's name begins with."""
        if self.output is None:
            return Path(fasta_stem(self.fasta))
        folder = Path(self.output)
        if self.output.endswith("/") or folder.is_dir():
            return folder / fasta_stem(self.fasta)
        return folder


def fasta_stem(path: Path) -> str:
    """Return a FASTA's name without .gz or .bgz, then without .fa, .fasta or .fna."""
    name = path.name
    for suffixes in (COMPRESSED_SUFFIXES, FASTA_SUFFIXES):
        for suffix in suffixes:
            name = name.removesuffix(suffix)
    return name

"""Everything that a user can set for a run: every option's one definition, and which of them exclude each other."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pgf_cli.core.choices import Dtype, OutputLayer, ReadStrand
from pgf_cli.errors import UsageError
from pgf_cli.options import Option, definitions_of
from pgf_cli.options import in_arguments as rewritten
from pgf_cli.tracks.registry import FORMATS, format_names

Mode = Literal["tangent", "adjoint", "both"]
AdjointTrack = Literal["contribution", "norm", "max-snv"]
Strand = Literal["forward", "reverse", "both", "average"]
Null = Literal["shuffle"]

STRANDS_READ: dict[Strand, tuple[ReadStrand, ...]] = {
    "forward": ("forward",),
    "reverse": ("reverse",),
    "both": ("forward", "reverse"),
    "average": ("forward", "reverse"),
}
"""The strands that are read, the forward one first."""
NO_AVERAGE_OF_PULSES = (
    "--strand average is for whole directions: from a pulse the two readings go opposite ways, and no base has a mean "
    "of them; use --strand both"
)

FASTA_SUFFIXES = (".fa", ".fasta", ".fna")
COMPRESSED_SUFFIXES = (".gz", ".bgz")

FIRST, INPUT, COMPUTATION, OUTPUT, MACHINE = "Options", "Input", "Computation", "Output", "Machine"
"""Headings in ``run --help``; the first has what most runs need, and --help itself."""

LONGEST_RECORD = 10**10
"""No chromosome known is longer."""
MOST_HITS = 1_000_000
FARTHEST_HIT = 1_000_000
"""The search for hits keeps the values of that many bases on either side."""
MOST_THREADS = 1024
MOST_DIRECTIONS = 1024
LONGEST_PREFIX = 180
"""Bytes of a prefix's last part: file systems take 255, and what follows it may take 75."""


class SettingsError(UsageError):
    """Settings that contradict each other; says so in terms of arguments."""

    def __init__(self, in_flags: str) -> None:
        super().__init__(in_arguments(in_flags))
        self.in_flags = in_flags
        """The same in terms of flags."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of one run, checked; the command line has the same, with the same defaults.

    Paths may be given as strings, and what can be several as a list. Each field's help and bounds stand in its
    annotation; docs/options.md has them as a table.

    Raises:
        UsageError: a value has the wrong type or is out of bounds, or two settings contradict each other.
    """

    fasta: Annotated[Path, Option(positional=True, help="FASTA, plain or bgzip-compressed.")]
    model: Annotated[
        Path,
        Option(
            short="-m",
            panel=FIRST,
            metavar="PATH",
            help="Checkpoint: .pt or .safetensors of this tool, a Hugging Face or mamba_ssm folder, a Lightning .ckpt, "
            "or bare tensors; inspect says what one is.",
        ),
    ]
    output: Annotated[
        str | os.PathLike[str] | None,
        Option(
            short="-o",
            panel=FIRST,
            metavar="PREFIX",
            help="What every output's name begins with. DIR/ makes that folder and means DIR/STEM, as does a folder "
            "that exists. Default: STEM, the FASTA's name without its suffixes, here.",
        ),
    ] = None
    formats: Annotated[
        tuple[str, ...],
        Option(
            choices=format_names(),
            flag="--format",
            short="-f",
            panel=FIRST,
            metavar="FORMAT",
            help="{values}; repeatable. " + "; ".join(f"{name}: {entry.help}" for name, entry in FORMATS.items()) + ".",
        ),
    ] = ("bedgraph",)
    regions: Annotated[
        tuple[str, ...],
        Option(
            flag="--region",
            panel=FIRST,
            metavar="REGION",
            help="What is written: CHROM:START-END, 1-based inclusive, commas allowed; repeatable. Reading still "
            "starts at the record's first base, so a base has the same value whatever was asked.",
        ),
    ] = ()
    bed: Annotated[
        Path | None,
        Option(
            flag="--regions",
            panel=FIRST,
            metavar="BED",
            help="Regions from a BED file (0-based half-open), gzipped or not. Overlapping ones are merged.",
        ),
    ] = None
    mode: Annotated[
        Mode,
        Option(
            panel=FIRST,
            metavar="MODE",
            help="tangent: where the model reacts (response, ghost); adjoint: which bases a score depends on "
            "(contribution); or both.",
        ),
    ] = "both"
    pulses: Annotated[
        tuple[str, ...],
        Option(
            flag="--pulse",
            panel=FIRST,
            metavar="PULSE",
            help="CHROM:POS, 1-based: follow the effect of that base alone; CHROM:POS:ALT: of another base there, a "
            "variant. Repeatable: several add up.",
        ),
    ] = ()
    threads: Annotated[
        int | None,
        Option(
            short="-p",
            panel=FIRST,
            metavar="N",
            lowest=1,
            highest=MOST_THREADS,
            help="Worker threads; results do not depend on them. Default: every processor.",
        ),
    ] = None
    resume: Annotated[
        bool, Option(panel=FIRST, help="Go on with a run that was broken off, from what it had finished.")
    ] = False
    force: Annotated[bool, Option(panel=FIRST, help="Replace outputs that exist already.")] = False

    alphabet: Annotated[
        str | None,
        Option(
            panel=INPUT,
            metavar="IDS",
            help="Token ids of the bases, such as A=7,C=8,G=9,T=10,N=11. Default: from the checkpoint.",
        ),
    ] = None
    model_family: Annotated[
        str | None,
        Option(
            panel=INPUT,
            metavar="MODULE:CLASS",
            pattern=r"[\w.]+:[\w.]+",
            expected="package.module:Class",
            help="A model family that you wrote and installed, instead of those that are known: docs/own-family.md. "
            "Its code runs; a checkpoint's never does.",
        ),
    ] = None
    chroms: Annotated[
        tuple[str, ...],
        Option(flag="--chrom", panel=INPUT, metavar="NAME", help="A whole record; repeatable. Default: every record."),
    ] = ()
    context: Annotated[
        int | None,
        Option(
            panel=INPUT,
            metavar="N",
            lowest=0,
            highest=LONGEST_RECORD,
            help="Read only N bases upstream of each region; 0: the region as a sequence of its own. Default: from the "
            "record's first base.",
        ),
    ] = None
    strand: Annotated[
        Strand,
        Option(
            panel=INPUT,
            metavar="STRAND",
            help="forward; reverse: each record's reverse complement is read; both: two sets of tracks, "
            "PREFIX.response.forward.bedgraph and PREFIX.response.reverse.bedgraph; average: the mean of both readings "
            "at each base. What is written stays in forward coordinates; what is upstream of a reverse reading lies at "
            "higher positions.",
        ),
    ] = "forward"

    window: Annotated[
        int | None,
        Option(
            panel=INPUT,
            metavar="N",
            lowest=1,
            highest=LONGEST_RECORD,
            help="Models that read in both directions: read a longer record in windows of N bases, each base scored in "
            "the window whose middle is nearest. Default: the whole record is one window.",
        ),
    ] = None
    overlap: Annotated[
        int | None,
        Option(
            panel=INPUT,
            metavar="N",
            lowest=0,
            highest=LONGEST_RECORD - 1,
            help="Bases that a window shares with the next one. Default: half of --window.",
        ),
    ] = None

    direction: Annotated[
        str,
        Option(
            panel=COMPUTATION,
            metavar="WHICH",
            pattern=r"contrast|random(:([1-9][0-9]{0,2}|10[01][0-9]|102[0-4]))?",
            expected=f"contrast, random or random:K (K from 1 to {MOST_DIRECTIONS:,})",
            help="Along what to differentiate for response and ghost. contrast: x - 1/4 at every base; random:K: K "
            "random directions (root mean square).",
        ),
    ] = "contrast"
    pulses_bed: Annotated[
        Path | None,
        Option(flag="--pulses", panel=COMPUTATION, metavar="BED", help="A pulse at every base of every row."),
    ] = None
    separate: Annotated[
        bool,
        Option(
            panel=COMPUTATION,
            help="A track for each pulse, all in one sweep: PREFIX.response.CHROM_POS.bedgraph (and _ALT after POS).",
        ),
    ] = False
    ghost_distance: Annotated[
        int | None,
        Option(
            panel=COMPUTATION,
            metavar="W",
            lowest=0,
            highest=LONGEST_RECORD,
            help="The ghost track is the response to what lies at least W bases upstream; 0 switches it off. Default: "
            "1,000. For a model that reads in both directions: at least W bases away on either side; default 0, "
            "as each W bases of a window cost a sweep's tangent.",
        ),
    ] = None
    objective: Annotated[
        str | None,
        Option(
            panel=COMPUTATION,
            metavar="WHICH",
            pattern=r"loglik|sum|logit:([A-Za-z]|[0-9]{1,9})|class:[0-9]{1,9}",
            expected="loglik, sum, logit:J (J a base or a row of the head) or class:J",
            help="The score that the adjoint explains. loglik: log-likelihood of the targets (default with a head); "
            "sum: of all outputs (default without); logit:J: one logit, J a base or a row of the head; class:J: one "
            "score of a classification or regression head for all that is read.",
        ),
    ] = None
    targets: Annotated[
        tuple[str, ...],
        Option(
            flag="--target",
            panel=COMPUTATION,
            metavar="REGION",
            help="Where the objective is taken, 1-based inclusive; repeatable. Default: everything written.",
        ),
    ] = ()
    mask_targets: Annotated[
        bool,
        Option(
            panel=COMPUTATION,
            help="Masked models: read the bases of --target as [MASK], so that none sees the base that it predicts; "
            "they get no score themselves.",
        ),
    ] = False
    adjoint_tracks: Annotated[
        tuple[AdjointTrack, ...],
        Option(
            flag="--track",
            panel=COMPUTATION,
            metavar="TRACK",
            help="Tracks of the adjoint; repeatable. contribution: the gradient at the base that is there, signed; "
            "norm: its 2-norm over the four bases; max-snv: the strongest substitution's.",
        ),
    ] = ("contribution",)
    gradient_correction: Annotated[
        bool,
        Option(
            flag="--no-gradient-correction",
            panel=COMPUTATION,
            help="Do not subtract the gradient's mean over the four bases.",
        ),
    ] = True
    output_layer: Annotated[
        OutputLayer | None,
        Option(
            panel=COMPUTATION,
            metavar="LAYER",
            help="What is differentiated. logprobs: log p(A), p(C), p(G), p(T) in nats (default with a head); logits: "
            "every row of the head; hidden: the hidden state (default without).",
        ),
    ] = None
    hits: Annotated[
        int, Option(panel=COMPUTATION, metavar="N", lowest=0, highest=MOST_HITS, help="Hits kept per record.")
    ] = 20
    hit_distance: Annotated[
        int,
        Option(
            panel=COMPUTATION,
            metavar="N",
            lowest=1,
            highest=FARTHEST_HIT,
            help="A hit is the highest base within N bases on either side.",
        ),
    ] = 50
    trace: Annotated[
        int,
        Option(
            panel=COMPUTATION,
            metavar="N",
            lowest=0,
            highest=MOST_HITS,
            help="Follow the N best ghost hits of each record back to their sources: PREFIX.trace.tsv.",
        ),
    ] = 0
    null: Annotated[
        Null | None,
        Option(
            panel=COMPUTATION,
            metavar="NULL",
            help="shuffle: sweep a dinucleotide-preserving shuffle of each record too, and give hits a false discovery "
            "rate.",
        ),
    ] = None
    seed: Annotated[
        int,
        Option(
            panel=COMPUTATION, metavar="N", lowest=0, highest=2**63 - 1, help="Seed of whatever is drawn at random."
        ),
    ] = 0
    probe_depth: Annotated[
        int,
        Option(
            panel=COMPUTATION,
            metavar="N",
            lowest=0,
            highest=2**30,
            help="The certificate's second probe stands where the state is N bases old; 0: only one, at the first "
            "bases.",
        ),
    ] = 65_536

    bgzip: Annotated[
        bool,
        Option(
            panel=OUTPUT,
            help="Compress bedGraph and CSV in blocks (BGZF, .gz) and index bedGraph for tabix (.tbi, or .csi where a "
            "record is longer than 2^29 bases).",
        ),
    ] = False
    track_line: Annotated[
        bool,
        Option(
            panel=OUTPUT,
            help="Begin bedGraph files with a track line: browsers want it, bedGraphToBigWig rejects it.",
        ),
    ] = False

    device: Annotated[
        str,
        Option(
            panel=MACHINE,
            metavar="DEVICE",
            pattern=r"auto|cpu|cuda(:[0-9]{1,4})?",
            expected="auto, cpu, cuda or cuda:I",
            help="{values}; auto is a CUDA device where there are one and Triton, else the CPU.",
        ),
    ] = "auto"
    dtype: Annotated[
        Dtype,
        Option(
            panel=MACHINE,
            metavar="DTYPE",
            help="Number format of the computation: float32, float64, or bfloat16 for matrix products alone, with "
            "float32 for the rest.",
        ),
    ] = "float32"
    tile: Annotated[
        int | None,
        Option(
            panel=MACHINE,
            metavar="N",
            lowest=1,
            highest=2**24,
            help="Bases per tile: memory grows with it, results differ by rounding only. Default: by the cache's size.",
        ),
    ] = None
    segment: Annotated[
        int,
        Option(
            panel=MACHINE,
            metavar="N",
            lowest=1,
            highest=LONGEST_RECORD,
            help="Bases after which a run saves its work: what is broken off loses at most a segment.",
        ),
    ] = 2**20
    snapshot_budget: Annotated[
        int,
        Option(
            panel=MACHINE,
            metavar="MB",
            lowest=1,
            highest=2**24,
            help="What the adjoint may keep of states, in MB; with less it reads tiles forwards more than once.",
        ),
    ] = 256
    snapshots_on_disk: Annotated[
        bool, Option(panel=MACHINE, help="Keep them in a temporary file beside the outputs.")
    ] = False

    feature_budget: Annotated[
        int,
        Option(
            panel=MACHINE,
            metavar="MB",
            lowest=0,
            highest=2**24,
            help="Models that read in both directions: features kept in memory, in MB; beyond it in a nameless file "
            "beside the outputs.",
        ),
    ] = 1000

    def __post_init__(self) -> None:
        if isinstance(self.output, os.PathLike):
            object.__setattr__(self, "output", os.fspath(self.output))
        for name, definition in definitions_of(RunSettings).items():
            object.__setattr__(self, name, definition.check(getattr(self, name), name))
        problem = _contradiction(self) or _wrong_prefix(self)
        if problem:
            raise SettingsError(problem)

    @property
    def pulsed(self) -> bool:
        """Whether the directions are pulses."""
        return bool(self.pulses or self.pulses_bed)

    @property
    def track_dtype(self) -> Literal["float32", "float64"]:
        """Number format of the tracks."""
        return "float32" if self.dtype == "bfloat16" else self.dtype

    @property
    def strands_read(self) -> tuple[ReadStrand, ...]:
        """The strands that are read, each in a reading of its own."""
        return STRANDS_READ[self.strand]

    @property
    def track_suffixes(self) -> tuple[str, ...]:
        """What tells the sets of tracks apart that are written, at the end of every track's name."""
        return tuple(f".{strand}" for strand in self.strands_read) if self.strand == "both" else ("",)

    @property
    def ghosts_from(self) -> int:
        """W, once a run has settled on it; 0: no ghosts."""
        return self.ghost_distance or 0

    @property
    def random_directions(self) -> int:
        """How many random directions were asked for; 0 for none."""
        name, _, count = self.direction.partition(":")
        return int(count or 1) if name == "random" else 0

    @property
    def folder_to_make(self) -> Path | None:
        """The folder that a run makes where it is missing: ``output`` names it by the slash at its end."""
        return self.prefix.parent if self.output is not None and os.fspath(self.output).endswith("/") else None

    @property
    def prefix(self) -> Path:
        """Path that every output's name begins with: ``dir/`` and a folder that exists mean STEM in them."""
        stem = fasta_stem(self.fasta)
        if self.output is None:
            return Path(stem)
        output = os.fspath(self.output)
        path = Path(output)
        # os.path's is False, and raises nothing, where a name is too long for the file system.
        if output.endswith("/") or path.name in ("", "..") or os.path.isdir(path):  # noqa: PTH112
            return path / stem
        return path


def in_arguments(message: str) -> str:
    """Rewrite what a message of the library says of flags in terms of the arguments of RunSettings."""
    return rewritten(message, definitions_of(RunSettings))


def fasta_stem(path: Path) -> str:
    """Return a FASTA's name without .gz or .bgz, then without .fa, .fasta or .fna; the whole name if that is all."""
    name = path.name
    for suffixes in (COMPRESSED_SUFFIXES, FASTA_SUFFIXES):
        for suffix in suffixes:
            name = name.removesuffix(suffix)
    return name or path.name.lstrip(".")


def _contradiction(settings: RunSettings) -> str:
    """Return what is wrong with the settings together, in terms of flags; '' if nothing is."""
    mode, whole = settings.mode, settings.direction == "contrast" and not settings.pulsed
    text = [name for name in format_names() if FORMATS[name].text]
    adjoint = next((name for name in settings.formats if FORMATS[name].adjoint), "")
    problems = {
        f"--bgzip compresses text; add --format {' or '.join(text)}, or leave it out": settings.bgzip
        and not set(text) & set(settings.formats),
        "--objective and --target are the adjoint's; add --mode adjoint or --mode both": mode == "tangent"
        and (settings.objective or settings.targets),
        "--pulse, --pulses and --direction are the tangent's; use --mode tangent or --mode both": mode == "adjoint"
        and not whole,
        f"--format {adjoint} holds scores of the adjoint; use --mode adjoint or --mode both": mode == "tangent"
        and adjoint,
        "--trace follows ghost hits back; it needs --mode tangent or both, and a --ghost-distance": settings.trace
        and (mode == "adjoint" or settings.ghost_distance == 0),
        "--trace is for the contrast direction: a pulse is its own source": settings.trace and not whole,
        f"--direction {settings.direction} and pulses exclude each other; leave out one of them": settings.pulsed
        and settings.direction != "contrast",
        "--objective class:J is one score of all that is read; leave out --target": (
            settings.objective or ""
        ).startswith("class:")
        and settings.targets,
        "--mask-targets masks the bases of --target: name some": settings.mask_targets and not settings.targets,
        "--overlap is that of windows; give --window N": settings.overlap is not None and settings.window is None,
        "--overlap must be less than --window": settings.overlap is not None
        and settings.window is not None
        and settings.overlap >= settings.window,
        "--separate needs pulses: give --pulse CHROM:POS or --pulses BED": settings.separate and not settings.pulsed,
        NO_AVERAGE_OF_PULSES: settings.strand == "average" and settings.pulsed,
        "--strand average has no ghosts to trace: each goes back within one reading; use --strand both, or leave out "
        "--trace": settings.strand == "average" and settings.trace,
        "--null shuffle is for whole directions: a pulse has no place in a shuffled sequence": settings.null
        and settings.pulsed,
    }
    return next((said for said, holds in problems.items() if holds), "")


def _wrong_prefix(settings: RunSettings) -> str:
    """Return what is wrong with the outputs' names, in terms of flags; '' if nothing is."""
    if settings.output == "":
        return "--output is empty; give a prefix, or leave it out for the FASTA's stem"
    if settings.output == "-":
        return "--output - cannot mean stdout: a run writes several files; give a prefix, ./- if it shall be that"
    name = settings.prefix.name
    # A name that is not UTF-8 comes with surrogates, and takes no more bytes than this counts.
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST_PREFIX:
        return (
            f"--output: {name[:40]!r}... is too long a name for files; give a prefix of at most {LONGEST_PREFIX} bytes"
        )
    return ""

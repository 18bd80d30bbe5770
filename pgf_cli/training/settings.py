"""The TOML of a training run, as frozen dataclasses: every value checked, every unknown key refused."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pgf_cli.core.models import BaseIds, MambaConfig
from pgf_cli.errors import UsageError
from pgf_cli.options import Option, definitions_of, nearest, read_toml
from pgf_cli.training.errors import TrainConfigError

BASE_IDS = BaseIds(0, 1, 2, 3, 4)
VOCAB = 5

WIDEST, DEEPEST = 2**16, 1024
MOST_STEPS = 10**9
LONGEST_SAMPLE = 10**10

Section = TypeVar("Section")


class _Checked:
    """A section that checks its values as it is made."""

    def __post_init__(self) -> None:
        for name, definition in definitions_of(type(self)).items():
            object.__setattr__(self, name, definition.check(getattr(self, name), name))


@dataclass(frozen=True, kw_only=True)
class ModelSettings(_Checked):
    """``[model]``: sizes of the Mamba language model; its tokens are A, C, G, T and N."""

    channels: Annotated[int, Option(lowest=1, highest=WIDEST, help="Model width.")]
    layers: Annotated[int, Option(lowest=1, highest=DEEPEST, help="Blocks.")]
    inner: Annotated[
        int | None, Option(lowest=1, highest=WIDEST, help="Width inside a block. Default: twice the channels.")
    ] = None
    state: Annotated[int, Option(lowest=1, highest=WIDEST, help="State size per channel.")] = 16
    conv: Annotated[int, Option(lowest=1, highest=WIDEST, help="Inputs of the convolution.")] = 4
    dt_rank: Annotated[
        int | None,
        Option(
            lowest=1, highest=WIDEST, help="Rank of the step sizes. Default: a sixteenth of the channels, rounded up."
        ),
    ] = None
    tied: Annotated[bool, Option(help="Whether the head is the embedding.")] = True

    def config(self) -> MambaConfig:
        """Return the sizes with the defaults filled in."""
        return MambaConfig(
            d_model=self.channels,
            n_layer=self.layers,
            d_inner=self.inner or 2 * self.channels,
            d_state=self.state,
            d_conv=self.conv,
            dt_rank=self.dt_rank or -(-self.channels // 16),
            vocab_size=VOCAB,
            tied=self.tied,
        )


@dataclass(frozen=True, kw_only=True)
class DataSettings(_Checked):
    """``[data]``: what of the FASTA is learnt from, and in what pieces; region strings are 1-based inclusive."""

    chroms: Annotated[tuple[str, ...], Option(help="Records to learn from. Default: all.")] = ()
    exclude: Annotated[tuple[str, ...], Option(help="Regions that are never learnt from.")] = ()
    held_out: Annotated[
        tuple[str, ...], Option(help="Regions that are never learnt from and on which the loss is measured.")
    ] = ()
    sample_length: Annotated[
        int,
        Option(lowest=2, highest=LONGEST_SAMPLE, help="Bases of a sample; every one but the first is predicted."),
    ]
    reverse_complements: Annotated[bool, Option(help="Whether samples come from both strands.")] = True
    longest_n_run: Annotated[
        int,
        Option(
            lowest=0,
            highest=LONGEST_SAMPLE,
            help="A longer run of N ends a sample; in shorter ones N is read and not predicted.",
        ),
    ] = 10


@dataclass(frozen=True, kw_only=True)
class OptimiserSettings(_Checked):
    """``[optimiser]``: Adam or AdamW, its schedule, and when to save."""

    name: Annotated[Literal["adam", "adamw"], Option(help="{values}.")] = "adamw"
    steps: Annotated[int, Option(lowest=1, highest=MOST_STEPS, help="Steps of the whole training.")]
    batch: Annotated[int, Option(lowest=1, highest=MOST_STEPS, help="Samples whose gradients one step adds up.")] = 1
    learning_rate: Annotated[float, Option(lowest=1e-12, highest=1e6, help="Highest learning rate.")]
    final_learning_rate: Annotated[float, Option(lowest=0, highest=1e6, help="Where the cosine ends.")] = 0.0
    warmup: Annotated[
        int, Option(lowest=0, highest=MOST_STEPS, help="Steps over which the learning rate first rises in a line.")
    ] = 0
    weight_decay: Annotated[
        float, Option(lowest=0, highest=1e6, help="Weight decay, of the projections' matrices alone.")
    ] = 0.0
    clip: Annotated[
        float, Option(lowest=1e-12, highest=1e12, help="Longest gradient, as the 2-norm over all parameters.")
    ] = 1.0
    seed: Annotated[int, Option(lowest=0, highest=2**63 - 1, help="Seed of weights and samples.")] = 0
    save_every: Annotated[
        int,
        Option(
            lowest=1,
            highest=MOST_STEPS,
            help="Steps between two checkpoints; the held-out loss is measured at each.",
        ),
    ] = 100


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Everything that decides the weights, but for the FASTA."""

    model: ModelSettings
    data: DataSettings
    optimiser: OptimiserSettings

    def text(self) -> str:
        """Return the settings as JSON, to be compared on resuming."""
        return json.dumps(asdict(self), sort_keys=True)


SECTIONS: dict[str, type] = {"model": ModelSettings, "data": DataSettings, "optimiser": OptimiserSettings}


def read_settings(path: Path) -> TrainSettings:
    """Read the TOML of a training run.

    Keys are the names of the sections' fields with hyphens for underscores.

    Raises:
        TrainConfigError: the file cannot be read or is not TOML; a section or key is missing, unknown, of the wrong
            type or out of range.

    Source: TOML v1.0.0.
    """
    try:
        tables = read_toml(path)
    except UsageError as error:
        raise TrainConfigError(str(error)) from error
    _refuse_unknown(tables, SECTIONS, f"--config {path}")
    return TrainSettings(
        model=_section(tables, "model", ModelSettings, path),
        data=_section(tables, "data", DataSettings, path),
        optimiser=_section(tables, "optimiser", OptimiserSettings, path),
    )


def _section(tables: Mapping[str, Any], name: str, kind: type[Section], path: Path) -> Section:
    where = f"--config {path}, [{name}]"
    table = tables.get(name)
    if not isinstance(table, dict):
        raise TrainConfigError(f"{where} is missing; sections are {', '.join(f'[{known}]' for known in SECTIONS)}")
    definitions = {each.key: each for each in definitions_of(kind).values()}
    _refuse_unknown(table, definitions, where)
    for key, definition in definitions.items():
        if definition.required and key not in table:
            raise TrainConfigError(f"{where} has no {key}; add it")
    try:
        return kind(
            **{definitions[key].name: definitions[key].check(value, f"{where}: {key}") for key, value in table.items()}
        )
    except UsageError as error:
        raise TrainConfigError(str(error)) from error


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = nearest(key, known) or f"one of {', '.join(sorted(known))}"
            raise TrainConfigError(f"{where}: {key[:60]!r} is unknown; did you mean {near}?")

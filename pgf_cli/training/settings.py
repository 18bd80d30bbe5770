"""The TOML of a training run, as frozen dataclasses: every value checked, every unknown key refused."""

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pgf_cli.core.models import BaseIds, MambaConfig
from pgf_cli.training.errors import TrainConfigError

BASE_IDS = BaseIds(0, 1, 2, 3, 4)
VOCAB = 5

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)

Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

Section = TypeVar("Section")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """``[model]``: sizes of the Mamba language model; its tokens are A, C, G, T and N."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    channels: Count
    layers: Count
    inner: Count | None = None
    """Default: twice the channels."""
    state: Count = 16
    conv: Count = 4
    dt_rank: Count | None = None
    """Default: a sixteenth of the channels, rounded up."""
    tied: bool = True
    """Whether the head is the embedding."""

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
class DataSettings:
    """``[data]``: what of the FASTA is learnt from, and in what pieces; region strings are 1-based inclusive."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    chroms: tuple[str, ...] = ()
    """Records to learn from; default: all."""
    exclude: tuple[str, ...] = ()
    """Regions that are never learnt from."""
    held_out: tuple[str, ...] = ()
    """Regions that are never learnt from and on which the loss is measured."""
    sample_length: Annotated[int, Field(ge=2)]
    """Bases of a sample, of which every one but the first is predicted."""
    reverse_complements: bool = True
    """Whether samples come from both strands."""
    longest_n_run: CountOrNone = 10
    """A longer run of N ends a sample; in shorter ones N is read and not predicted."""


@dataclass(frozen=True, kw_only=True)
class OptimiserSettings:
    """``[optimiser]``: Adam or AdamW, its schedule, and when to save."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: Literal["adam", "adamw"] = "adamw"
    steps: Count
    batch: Count = 1
    """Samples whose gradients one step adds up."""
    learning_rate: Positive
    """Its highest value."""
    final_learning_rate: NotNegative = 0.0
    """Where the cosine ends."""
    warmup: CountOrNone = 0
    """Steps over which it first rises in a line."""
    weight_decay: NotNegative = 0.0
    """Of the projections' matrices alone."""
    clip: Positive = 1.0
    """Longest gradient, as the 2-norm over all parameters."""
    seed: CountOrNone = 0
    save_every: Count = 100
    """Steps between two checkpoints; the held-out loss is measured at each."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Everything that decides the weights, but for the FASTA."""

    model: ModelSettings
    data: DataSettings
    optimiser: OptimiserSettings

    def text(self) -> str:
        """Return the settings as JSON, to be compared on resuming."""
        return json.dumps(asdict(self), sort_keys=True)


_SECTIONS: dict[str, type] = {"model": ModelSettings, "data": DataSettings, "optimiser": OptimiserSettings}


def read_settings(path: Path) -> TrainSettings:
    """Read the TOML of a training run.

    Keys are the names of the sections' fields with hyphens for underscores.

    Raises:
        TrainConfigError: the file cannot be read or is not TOML; a section or key is missing, unknown, of the wrong
            type or out of range.

    Source: TOML v1.0.0.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainConfigError(f"cannot read --config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainConfigError(f"--config {path} is not TOML: {error}") from error
    _refuse_unknown(tables, _SECTIONS, f"--config {path}")
    return TrainSettings(
        model=_section(tables, "model", ModelSettings, path),
        data=_section(tables, "data", DataSettings, path),
        optimiser=_section(tables, "optimiser", OptimiserSettings, path),
    )


def _section(tables: Mapping[str, Any], name: str, kind: type[Section], path: Path) -> Section:
    where = f"--config {path}, [{name}]"
    table = tables.get(name)
    if not isinstance(table, dict):
        raise TrainConfigError(f"{where} is missing; sections are {', '.join(f'[{known}]' for known in _SECTIONS)}")
    _refuse_unknown(table, {field.name.replace("_", "-") for field in fields(_SECTIONS[name])}, where)
    # As JSON, whose arrays pydantic takes for tuples without loosening any other type.
    text = json.dumps({key.replace("-", "_"): value for key, value in table.items()}, default=str)
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]).replace("_", "-")
        if first["type"] in ("missing", "missing_argument"):
            raise TrainConfigError(f"{where} has no {key}; add it") from error
        value = f"{table[key]!r:.80}"
        raise TrainConfigError(f"{where}: {key} is {value}: {first['msg'].lower()}") from error


def _refuse_unknown(table: Mapping[str, Any], known: Mapping[str, Any] | set[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.0)
            raise TrainConfigError(f"{where}: {key!r} is unknown; did you mean {near[0]!r}?")

"""How a model may lie on disk, and what reading it gives: the seam between files and families."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.alphabets import Alphabet
from pgf_cli.checkpoints.errors import CheckpointError, shown
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.inputs import Inputs


class Weights(NamedTuple):
    """Tensors under the names that the files give them, wrappers' prefixes taken off."""

    tensors: dict[str, Tensor]
    where: Path
    """The file to name in messages: the weights, or the index of their shards."""
    others: tuple[str, ...] = ()
    """Names of tensors that lie beside the model's."""


@dataclass(frozen=True)
class Source:
    """A checkpoint of another program, before it is known which family's it is."""

    path: Path
    """The file or folder that the user named."""
    settings: Fields | None
    """A folder's config.json; None for a file."""
    inputs: Inputs
    """Where what is read is noted."""
    load: Callable[[], Weights] = field(repr=False)

    @cached_property
    def weights(self) -> Weights:
        """The tensors, read when they are first asked for."""
        return self.load()

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors by name."""
        return self.weights.tensors

    @property
    def folder_settings(self) -> Fields:
        """The settings, of a source that is known to be a folder."""
        if self.settings is None:
            raise CheckpointError(f"{self.path} has no config.json.")
        return self.settings


def architectures_of(settings: Fields) -> list[str]:
    """Return the names of model classes in a config.json of transformers; none where it names none.

    Raises:
        CheckpointError: they are no list of names.
    """
    names = settings.values.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise settings.wrong("architectures", 'a list of names such as ["MambaForCausalLM"]')
    return names


@dataclass(frozen=True)
class Reading:
    """A checkpoint as a layout's reader understood it; that the tensors fit the config is checked afterwards."""

    config: Any
    """Of the family's config class."""
    tensors: Mapping[str, Tensor] = field(repr=False)
    """By the model's own names; tensors that are no part of the model are among them."""
    alphabet: Alphabet
    inside: frozenset[str] = frozenset()
    """Names of tensors that the file places inside the model: one that the model does not have is refused."""
    note: str | None = None
    """What the file says of itself."""


@dataclass(frozen=True)
class Layout:
    """How a program saves models of one family."""

    name: str
    """For people: ``Hugging Face``, ``mamba_ssm``, ..."""
    supports: str
    """What it covers, for the message about a checkpoint that nobody recognises."""
    recognises: Callable[[Source], bool]
    """Whether a source is of this layout, by its settings first and the names of its tensors where they do not say."""
    read: Callable[[Source, str | None], Reading]
    """Read a source that was recognised; the second argument is the option ``--alphabet``."""
    signs: tuple[str, ...] = ()
    """Fields of config.json and ends of tensors' names that ``recognises`` goes by, for people: see ``evidence``."""
    folder_signs: tuple[str, ...] = ()
    """Ends of tensors' names that it goes by where config.json does not say all."""

    def evidence(self, source: Source) -> tuple[str, ...]:
        """Return the fields and tensors of a source that was recognised that decided, in words."""
        if source.settings is not None:
            values = source.settings.values
            stated = (f"{sign} = {shown(values[sign])}" for sign in self.signs if values.get(sign) is not None)
            return (*stated, *_tensors_at(self.folder_signs, source))
        return _tensors_at(self.signs, source)


def _tensors_at(ends: tuple[str, ...], source: Source) -> tuple[str, ...]:
    """The first tensor of each of these ends, in words."""
    names = (next((name for name in source.tensors if name.endswith(end)), None) for end in ends)
    return tuple(f"tensor {name}" for name in names if name)

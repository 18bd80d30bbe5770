"""What can be wrong with a checkpoint, each said in one line."""

import reprlib
from dataclasses import dataclass

from pgf_cli.errors import PgfError

_SHOWN = 80
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN
_LARGEST_SHOWN = 10**_SHOWN


def printable(text: str) -> str:
    """Return a text out of a file with what could break the line or steer the terminal as question marks."""
    return "".join(character if character.isprintable() else "?" for character in text)


def shown(value: object) -> str:
    """Return a value out of a file in at most some 80 characters, however long or deep it is."""
    if isinstance(value, int) and not -_LARGEST_SHOWN < value < _LARGEST_SHOWN:
        # Its digits may be more than Python agrees to write.
        return f"a number of about {round(value.bit_length() * 0.30103):,} digits"
    return _REPR.repr(value)[:_SHOWN]


@dataclass(frozen=True)
class Refused:
    """Why a checkpoint that can be read cannot be run: what `inspect` prints beyond the error's line."""

    recognised_as: str
    because: tuple[str, ...]
    """The tensors and fields that decided."""
    layer: str
    """The first that cannot be streamed."""
    reason: str
    instead: str
    """What to do."""
    also: tuple[str, ...] = ()
    """What else of it cannot be streamed."""
    tensors: tuple[str, ...] = ()
    """What its files hold, layers taken together; empty where they were not read."""


class CheckpointError(PgfError, ValueError):
    """A checkpoint cannot be read or written, or contradicts itself."""

    refused: Refused | None = None
    """Set where the files are in order and the model is of a kind that cannot be run."""

    def __init__(self, message: str) -> None:
        # Names come out of files that anyone may have written: none may break the line or steer the terminal.
        super().__init__(printable(message))


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """A checkpoint, or a file that it names, does not exist."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint would run code if it were loaded without care; it was not."""


class UnsupportedArchitectureError(CheckpointError):
    """A checkpoint of a model family that this program does not know."""


class TensorError(CheckpointError):
    """A tensor has the wrong shape, type, values or name."""


class ForeignTensorError(TensorError):
    """A part of the model has a tensor that models of its family do not have."""

    def __init__(self, tensor: str, message: str) -> None:
        super().__init__(message)
        self.tensor = tensor


class MissingTensorError(TensorError, KeyError):
    """A tensor that the model needs is not in the checkpoint."""

    def __init__(self, name: str, where: object, remedy: str | None = None) -> None:
        remedy = remedy or "the checkpoint is incomplete: save it or download it again"
        super().__init__(f"{where} has no tensor {name}; {remedy}.")


class AlphabetError(CheckpointError):
    """A checkpoint does not say which token stands for which base."""

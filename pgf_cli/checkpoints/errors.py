"""What can be wrong with a checkpoint, each said in one line."""

import reprlib

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


class CheckpointError(PgfError, ValueError):
    """A checkpoint cannot be read or written, or contradicts itself."""

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


class MissingTensorError(TensorError, KeyError):
    """A tensor that the model needs is not in the checkpoint."""

    def __init__(self, name: str, where: object, remedy: str | None = None) -> None:
        remedy = remedy or "the checkpoint is incomplete: save it or download it again"
        super().__init__(f"{where} has no tensor {name}; {remedy}.")


class AlphabetError(CheckpointError):
    """A checkpoint does not say which token stands for which base."""

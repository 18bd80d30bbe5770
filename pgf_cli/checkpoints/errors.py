"""What can be wrong with a checkpoint, each said in one line."""

from pgf_cli.errors import PgfError


class CheckpointError(PgfError, ValueError):
    """A checkpoint cannot be read or written, or contradicts itself."""

    def __init__(self, message: str) -> None:
        # Names come out of files that anyone may have written: none may break the line or steer the terminal.
        super().__init__("".join(character if character.isprintable() else "?" for character in message))


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

    def __init__(
        self, name: str, where: object, remedy: str = "the checkpoint is incomplete: save it or download it again"
    ) -> None:
        super().__init__(f"{where} has no tensor {name}; {remedy}.")


class AlphabetError(CheckpointError):
    """A checkpoint does not say which token stands for which base."""

"""Settings files read field by field: a wrong or missing value is an error that names the file and the field."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgf_cli.checkpoints.errors import CheckpointError


@dataclass(frozen=True)
class Fields:
    """The fields of one settings object and, for messages, where it was read."""

    values: Mapping[str, Any]
    where: str

    def whole(self, name: str) -> int | None:
        """Return a positive whole number, or None where the field is absent."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong(name, "a whole number of at least 1")
        return value

    def positive(self, name: str, default: float) -> float:
        """Return a positive finite number."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not (0 < value < math.inf):
            raise self.wrong(name, "a positive number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def text(self, name: str) -> str | None:
        """Return a text, or None where the field is absent."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self.wrong(name, "a text")
        return value

    def only(self, *known: str) -> None:
        """Refuse a field of any other name."""
        if unknown := [name for name in self.values if name not in known]:
            raise CheckpointError(f"{self.where}: unknown field {unknown[0]!r:.80}; known: {', '.join(known)}.")

    def wrong(self, name: str, expected: str) -> CheckpointError:
        """Make the error for a field whose value is not what it must be."""
        return CheckpointError(f"{self.where}: {name} is {self.values[name]!r:.80}; it must be {expected}.")


def parse_fields(text: str | bytes, where: str) -> Fields:
    """Parse a JSON object.

    Raises:
        CheckpointError: the text is not JSON, or is JSON but not an object.

    Source: RFC 8259.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is not valid JSON ({error}); save it or download it again.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{where} holds a JSON {type(values).__name__}; it must be an object: {{...}}.")
    return Fields(values, where)


def read_fields(path: Path) -> Fields:
    """Read a JSON file that holds an object; errors as ``parse_fields``, also for a file that cannot be read."""
    return parse_fields(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Read a small file whole.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error

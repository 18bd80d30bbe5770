"""Settings files read field by field: a wrong or missing value is an error that names the file and the field."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pgf_cli.checkpoints.errors import CheckpointError, shown
from pgf_cli.core.models.embedding import Count, TokenId
from pgf_cli.inputs import Inputs

LARGEST = 1_000_000_000
"""More than any size of a model; what is computed from sizes below stays a number that a processor can hold."""

LARGEST_JSON = 16 << 20
"""Bytes of a settings or tokenizer file: some four times the largest of any model of bases or k-mers."""


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
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            raise self.wrong(name, f"a whole number from 1 to {LARGEST:,}")
        return value

    def count(self, name: str) -> int | None:
        """Return a whole number, 0 among them, or None where the field is absent."""
        return 0 if self.values.get(name) == 0 and self.values[name] is not False else self.whole(name)

    def token(self, name: str) -> int | None:
        """Return a token's id, -1 for none at all, or None where the field is absent."""
        value = self.values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= LARGEST):
            raise self.wrong(name, f"a token from 0 to {LARGEST:,}, or -1 for none")
        return value

    def positive(self, name: str) -> float | None:
        """Return a positive number, or None where the field is absent."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LARGEST:
            raise self.wrong(name, f"a positive number of at most {LARGEST:,}")
        return float(value)

    def flag(self, name: str) -> bool | None:
        """Return true or false, or None where the field is absent."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
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
            raise CheckpointError(f"{self.where}: unknown field {shown(unknown[0])}; known: {', '.join(known)}.")

    def wrong(self, name: str, expected: str) -> CheckpointError:
        """Make the error for a field whose value is not what it must be."""
        return CheckpointError(f"{self.where}: {name} is {shown(self.values[name])}; it must be {expected}.")


_READ: dict[Any, Callable[[Fields, str], int | float | bool | None]] = {
    int: Fields.whole,
    TokenId: Fields.token,
    Count: Fields.count,
    float: Fields.positive,
    float | None: Fields.positive,
    bool: Fields.flag,
}


def stated(config: type, settings: Fields, written: Mapping[str, str] | None = None) -> dict[str, int | float | bool]:
    """Return what settings state of the fields of a config, by the fields' names.

    Args:
        config: a dataclass of ``int``, ``float`` and ``bool``.
        settings: where they may stand.
        written: what the settings call them; None: the same.

    Raises:
        CheckpointError: one has a value that it cannot have.
    """
    hints = get_type_hints(config)
    names = written or {name: name for name in hints}
    found = {name: _READ[hints[name]](settings, there) for name, there in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def parse_fields(text: str | bytes, where: str) -> Fields:
    """Parse a JSON object.

    Raises:
        CheckpointError: the text is too long, is not JSON, or is JSON but not an object.

    Source: RFC 8259.
    """
    if len(text) > LARGEST_JSON:
        raise CheckpointError(f"{where} is JSON of {len(text):,} characters; at most {LARGEST_JSON:,} are read.")
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise CheckpointError(f"{where} is not settings: its JSON is nested too deeply; get it again.") from error
    except ValueError as error:
        raise CheckpointError(f"{where} is not valid JSON ({error}); save it or download it again.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{where} holds a JSON {type(values).__name__}; it must be an object: {{...}}.")
    return Fields(values, where)


def read_fields(path: Path, inputs: Inputs) -> Fields:
    """Read a JSON file that holds an object; errors as ``parse_fields``, also for a file that cannot be read."""
    return parse_fields(inputs.read(path, LARGEST_JSON), str(path))

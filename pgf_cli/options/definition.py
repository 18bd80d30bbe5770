"""An option's one definition: a field of a frozen dataclass, with what else is to be said of it in its annotation."""

import functools
import math
import operator
import os
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pgf_cli.errors import UsageError
from pgf_cli.options.values import shown

LONGEST_TEXT = 4096
"""Characters of any one value; Linux takes no longer path."""
ENVIRONMENT = "PGF_"
_INTEGER = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_MOST_DIGITS = 19
_YES, _NO = ("1", "true", "yes", "on", "y", "t"), ("0", "false", "no", "off", "n", "f")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, kw_only=True)
class Option:
    """What is said of an option beside its field's name, type and default; stands in the field's annotation."""

    help: str
    """``{values}`` in it stands for what is allowed, in words."""
    panel: str = ""
    """Heading under which ``--help`` and docs/options.md have it."""
    flag: str = ""
    """Long name; default: the field's, with hyphens. ``--no-NAME`` on a field whose default is True switches it off."""
    short: str = ""
    metavar: str = ""
    """What stands for the value in ``--help``."""
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] = ()
    """The texts that are allowed, where another place lists them; else those of the field's Literal."""
    pattern: str = ""
    """Of the whole of a text."""
    expected: str = ""
    """What ``pattern`` lets pass, in words."""
    positional: bool = False
    """Whether the command line has it without a flag; environment and TOML then have it not at all."""


@dataclass(frozen=True)
class Definition:
    """An option with the name, type and default of its field."""

    name: str
    option: Option
    kind: type
    """Of one value: bool, int, float, str or Path."""
    choices: tuple[str, ...]
    """The texts that are allowed; none: any."""
    many: bool
    optional: bool
    """Whether None is a value."""
    default: Any
    """MISSING where a value must be given."""

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is MISSING

    @property
    def flag(self) -> str:
        """Long name on the command line."""
        return self.option.flag or f"--{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """Name in a TOML file."""
        return self.flag.removeprefix("--")

    @property
    def variable(self) -> str:
        """Name in the environment."""
        return ENVIRONMENT + self.key.replace("-", "_").upper()

    @property
    def switches_off(self) -> bool:
        """Whether giving the flag makes the field False."""
        return self.kind is bool and self.default is True

    @property
    def expected(self) -> str:
        """What one value may be, in words."""
        if self.choices:
            return " or ".join(filter(None, (", ".join(self.choices[:-1]), self.choices[-1])))
        if self.option.expected:
            return self.option.expected
        what = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
        return what[self.kind] + self.bounds

    @property
    def bounds(self) -> str:
        """The bounds in words, with a blank before."""
        if self.option.lowest is None or self.option.highest is None:
            return ""
        return f" from {self._number(self.option.lowest)} to {self._number(self.option.highest)}"

    @property
    def help(self) -> str:
        """The help with the default, where the help does not say it."""
        value, said = self.default, self.option.help.replace("{values}", self.expected)
        if self.required and not self.option.positional:
            return f"{said} Required."
        if self.required or self.kind is bool or value is None or value == () or "default" in said.lower():
            return said
        values = value if self.many else (value,)
        return f"{said} Default: {', '.join(f'{each:,}' if isinstance(each, int) else str(each) for each in values)}."

    def check(self, value: object, where: str) -> Any:
        """Return a value as the field holds it: a Path for a string, a tuple for a list.

        Args:
            value: of Python or TOML; one value where there may be many is taken for the only one.
            where: what to call the option in an error: an argument, a key of a file.

        Raises:
            UsageError: the type is wrong, or the value is out of bounds.
        """
        if value is None and self.optional:
            return None
        if not self.many:
            return self._check_one(value, where)
        listed = isinstance(value, list | tuple | set | frozenset)
        several: Iterable[object] = value if listed else (value,)  # type: ignore[assignment]
        values = tuple(self._check_one(each, where) for each in several)
        if not values and self.default:
            raise UsageError(f"{where} is empty; it must have at least one of {self.expected}")
        return tuple(dict.fromkeys(values)) if self.choices else values

    def parse(self, text: str, where: str) -> Any:
        """Return one value from a text: of the command line, or of the environment.

        Raises:
            UsageError: it cannot be read as the option's type, or is out of bounds.
        """
        value: object = text
        if self.kind is bool:
            value = True if text.lower() in _YES else False if text.lower() in _NO else text
        elif self.kind is int and _INTEGER.fullmatch(text) and len(text) <= _MOST_DIGITS:
            value = int(text)
        elif self.kind is float:
            try:
                value = float(text)
            except ValueError:
                value = text
        return self._check_one(value, where)

    def parse_many(self, texts: Iterable[str], where: str) -> Any:
        """Return the values of an option that may be given more than once."""
        return self.check([self.parse(text, where) for text in texts], where)

    def _check_one(self, value: object, where: str) -> Any:
        checked = _converted(value, self.kind)
        problem = "" if checked is not None and self._allowed(checked) else f"it must be {self.expected}"
        if isinstance(checked, str | Path):
            problem = _wrong_text(checked) or problem
        if problem:
            raise UsageError(f"{where} is {shown(value)}; {problem}")
        return checked

    def _allowed(self, value: Any) -> bool:
        option = self.option
        if isinstance(value, bool | Path):
            return True
        if isinstance(value, str):
            if self.choices:
                return value in self.choices
            return not option.pattern or re.fullmatch(option.pattern, value) is not None
        lowest = -math.inf if option.lowest is None else option.lowest
        return bool(lowest <= value <= (math.inf if option.highest is None else option.highest))

    def _number(self, number: float) -> str:
        return f"{number:,}" if self.kind is int else f"{number:g}"


def definitions_of(settings: type) -> Mapping[str, Definition]:
    """Return the options of a dataclass by their fields' names, in its order."""
    return _definitions(settings)


@functools.cache
def _definitions(settings: Any) -> Mapping[str, Definition]:
    hints = typing.get_type_hints(settings, include_extras=True)
    return {field.name: definition_of(field.name, hints[field.name], field.default) for field in fields(settings)}


def definition_of(name: str, annotation: Any, default: Any) -> Definition:
    """Return the option of a field or parameter.

    Args:
        name: of the field.
        annotation: ``Annotated``, of a type and an ``Option``.
        default: MISSING where a value must be given.
    """
    if typing.get_origin(annotation) is not Annotated:
        raise TypeError(f"{name} has no Option in its annotation")
    kind, option = typing.get_args(annotation)
    optional = typing.get_origin(kind) in (types.UnionType, typing.Union)
    if optional:
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    many = typing.get_origin(kind) is tuple
    if many:
        kind = typing.get_args(kind)[0]
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else option.choices
    return Definition(name, option, str if choices else kind, choices, many, optional, default)


def _converted(value: object, kind: type) -> Any:
    """Return the value as the kind; None where it is of another."""
    if kind is bool:
        return bool(value) if type(value).__name__ in ("bool", "bool_") else None
    if isinstance(value, bool):
        return None
    if kind is str:
        return value if isinstance(value, str) else None
    if kind is Path:
        given = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        return Path(given) if isinstance(given, str) and given else None
    try:
        # Numpy's numbers, too; a float is no index, and a complex number no float.
        return operator.index(value) if kind is int else _finite(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _finite(value: object) -> float | None:
    if isinstance(value, str | bytes):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _wrong_text(value: str | Path) -> str:
    """What no text may be, whatever it stands for; paths that exist may have any character but NUL."""
    text = str(value)
    if len(text) > LONGEST_TEXT:
        return f"it must be no longer than {LONGEST_TEXT:,} characters"
    if "\0" in text or (isinstance(value, str) and _CONTROL.search(text)):
        return "it must have no control characters"
    return ""

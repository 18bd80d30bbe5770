"""Messages of the library speak of flags, as the command line needs; a caller in Python is told of arguments."""

import re
from collections.abc import Mapping

from pgf_cli.options.definition import Definition

_FLAG = re.compile(r"(?<![\w-])(?P<flag>--[a-z][a-z-]*[a-z])(?:(?P<blank> )(?P<word>[^\s-]\S*))?")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z:\[\]-]*")
_NUMBER = re.compile(r"[0-9]+(,[0-9]{3})*")


def in_arguments(message: str, definitions: Mapping[str, Definition]) -> str:
    """Rewrite flags, and the values after them, as arguments of Python.

    ``--no-gradient-correction`` becomes ``gradient_correction=False``, ``--format csv`` ``formats=["csv"]``,
    ``--pulses BED`` ``pulses_bed``. What is no flag of a definition is left as it is.
    """
    by_flag = {each.flag: each for each in definitions.values()}

    def rewrite(match: re.Match[str]) -> str:
        definition, word = by_flag.get(match["flag"]), match["word"] or ""
        if definition is None:
            return match[0]
        if definition.kind is bool:
            return f"{definition.name}={not definition.switches_off}{match['blank'] or ''}{word}"
        value = word.rstrip(".,;:)")
        written = _as_value(definition, value)
        if written is None:
            return f"{definition.name}{match['blank'] or ''}{word}"
        return f"{definition.name}{written}{word[len(value) :]}"

    return _FLAG.sub(rewrite, message)


def _as_value(definition: Definition, word: str) -> str | None:
    """Return ``=VALUE`` for a word that is a value, '' for a placeholder, None for a word of the sentence."""
    if _PLACEHOLDER.fullmatch(word):
        return ""
    if definition.kind is int:
        return f"={word.replace(',', '')}" if _NUMBER.fullmatch(word) else None
    if definition.choices:
        known = word in definition.choices
    elif definition.option.pattern:
        known = re.fullmatch(definition.option.pattern, word) is not None
    else:
        known = bool(re.search(r"\w[:=]\w", word))
    if not known:
        return None
    return f'=["{word}"]' if definition.many else f'="{word}"'

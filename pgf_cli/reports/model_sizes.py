"""What a model's config says, sorted for people: sizes, settings, and what other lines of a page tell."""

from collections.abc import Mapping

Config = Mapping[str, int | float | bool | None]

_TOLD_APART = ("head", "tied", "mask_id")
"""What the lines of the head and of the alphabet say."""


def sizes_in(config: Config) -> dict[str, int]:
    """Return the whole numbers that say how large a model is."""
    return {name: value for name, value in config.items() if type(value) is int and value and name not in _TOLD_APART}


def settings_in(config: Config) -> dict[str, object]:
    """Return the rest, in words: what is None is not limited or not there."""
    rest = {name: value for name, value in config.items() if type(value) is not int and name not in _TOLD_APART}
    return {name: _said(value) for name, value in rest.items()}


def mask_in(config: Config) -> int | None:
    """Return the token of [MASK]; None where there is none."""
    token = config.get("mask_id")
    return token if type(token) is int and token >= 0 else None


def _said(value: float | bool | None) -> object:
    if value is None:
        return "none"
    return ("yes" if value else "no") if isinstance(value, bool) else value

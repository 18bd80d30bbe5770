"""What the layouts of Mamba-2 have in common: the same tensors, groups that only the settings tell, limits of steps."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pgf_cli.checkpoints.errors import CheckpointError
from pgf_cli.checkpoints.families.mamba2_sizes import MAPS, SIZE_AXES, all_sizes
from pgf_cli.checkpoints.families.mamba_folder import Description, Kind, read_described
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Reading, Source
from pgf_cli.core.models import Mamba2Config


class Groups(NamedTuple):
    """How many groups share B and C, as the settings say it."""

    number: int
    field: str
    """What the settings call it."""


def read_mamba2(
    source: Source, described: Description, groups: Groups, options: Mapping[str, Any], option: str | None
) -> Reading:
    """Read a folder whose settings were understood.

    Args:
        source: the folder.
        described: what all Mamba layouts say.
        groups: those of B and C.
        options: further fields of ``Mamba2Config``.
        option: ``--alphabet``.
    """
    settings, where = source.folder_settings.where, source.weights.where

    def config(sizes: Mapping[str, Any], described: Description) -> Mamba2Config:
        return Mamba2Config(**in_groups(sizes, groups, settings, where), **options, **described.fields)

    return read_described(source, described, option, Kind(all_sizes, SIZE_AXES, config))


def in_groups(sizes: Mapping[str, Any], groups: Groups, settings: object, where: object) -> dict[str, Any]:
    """Return the sizes by the fields of ``Mamba2Config``, once the number of groups is known.

    Args:
        sizes: of ``all_sizes``.
        groups: those of B and C.
        settings: where they were read, for messages.
        where: where the tensors were read, for messages.

    Raises:
        CheckpointError: heads or states cannot be shared out among so many.
    """
    for whole, what in ((sizes[MAPS], "rows of B and of C"), (sizes["heads"], "heads")):
        if whole % groups.number:
            raise CheckpointError(
                f"{settings} says {groups.field} = {groups.number}, but the {whole} {what} in {where} cannot be "
                "shared out among so many groups; get weights and settings again."
            )
    values = {name: value for name, value in sizes.items() if name not in {"d_inner", MAPS}}
    return {**values, "groups": groups.number, "d_state": sizes[MAPS] // groups.number}


def limits(settings: Fields, name: str) -> dict[str, float | None]:
    """Read what step sizes are limited to: a list of two numbers, 0 and infinity being no limits.

    Raises:
        CheckpointError: it is something else.
    """
    value = settings.values.get(name)
    if value is None:
        return {"delta_min": None, "delta_max": None}
    numbers = [_number(each) for each in value] if isinstance(value, list) else []
    if len(numbers) != 2 or None in numbers or not 0 <= numbers[0] <= numbers[1]:  # type: ignore[operator]
        raise settings.wrong(name, "a list of the least and the greatest step size")
    least, greatest = numbers
    return {"delta_min": least or None, "delta_max": None if greatest == math.inf else greatest}


def _number(value: object) -> float | None:
    """A number; what is not finite is a text in some versions of JSON that transformers writes."""
    if isinstance(value, Mapping) and value.get("__float__") == "Infinity":
        return math.inf
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

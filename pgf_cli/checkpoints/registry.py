"""The model families that can be read, and nothing about any of them: add one here."""

from typing import Any

from pgf_cli.checkpoints.families.barcode_mamba import BARCODE_MAMBA
from pgf_cli.checkpoints.families.caduceus import CADUCEUS
from pgf_cli.checkpoints.families.caduceus_mamba2 import CADUCEUS_MAMBA2
from pgf_cli.checkpoints.families.frechet import FRECHET
from pgf_cli.checkpoints.families.mamba import MAMBA
from pgf_cli.checkpoints.families.mamba2 import MAMBA2
from pgf_cli.checkpoints.families.mnemos import KDA
from pgf_cli.checkpoints.family import Family, ModelConfig

FAMILIES: tuple[Family[Any], ...] = (
    MAMBA,
    MAMBA2,
    CADUCEUS,
    CADUCEUS_MAMBA2,
    BARCODE_MAMBA,
    KDA,
    FRECHET,
)


def family_of(config: ModelConfig) -> Family[Any]:
    """Return the family that a config belongs to.

    Raises:
        TypeError: to none of them.
    """
    for family in FAMILIES:
        if type(config) is family.config:
            return family
    raise TypeError(f"{type(config).__name__} is the config of no family; add its family to the registry")


def family_named(name: object) -> Family[Any] | None:
    """Return the family of that name in our own format; None if there is none."""
    return next((family for family in FAMILIES if family.name == name), None)

"""What a folder's config.json says of a Mamba model, in one form whichever program wrote it."""

from typing import NamedTuple

from pgf_cli.checkpoints.sizes import Stated

PREFIX = "backbone."
"""Before every tensor's name but the head's, where a head was saved with the model."""


class Description(NamedTuple):
    """Settings as ``MambaConfig`` has them, and sizes to be checked against the tensors."""

    stated: list[Stated]
    norm_eps: float
    projection_bias: bool
    conv_bias: bool
    head: bool
    tied: bool
    tied_field: str
    """What the config calls ``tied``."""

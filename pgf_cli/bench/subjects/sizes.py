"""Sizes of the models that are measured; free of heavy imports, so that `--help` can show them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Of a Mamba; inside a block it is twice as wide, with 4 taps and a step-size rank of a 16th of its width."""

    layers: int
    channels: int
    state: int

    def __str__(self) -> str:
        return f"{self.layers}-layer Mamba, D {self.channels}, N {self.state}"

    @property
    def of_mamba2(self) -> str:
        """The same of a Mamba-2, in words."""
        return str(self).replace("Mamba", "Mamba-2")


SPEED = Sizes(layers=4, channels=256, state=16)
"""Of ``bench speed``: a model that people train."""
SPEED_MAMBA2 = Sizes(layers=4, channels=256, state=64)
"""Of ``bench speed``, for Mamba-2."""
LENGTH = Sizes(layers=2, channels=64, state=16)
"""Of ``bench length``: small enough for ten million bases in minutes."""

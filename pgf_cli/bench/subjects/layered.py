"""What memory is measured on: the paper's operator, and models of several layers."""

from dataclasses import dataclass

from pgf_cli.bench.subjects.random_models import BASE_IDS, random_frechet, random_mamba, random_mamba2
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import SumOutputs


@dataclass(frozen=True)
class Subject:
    """A model that is differentiated."""

    name: str
    """One word, for the names of numbers."""
    words: str
    model: StreamingModel
    outputs: int
    """Columns of the model's output."""
    loops: bool
    """Whether a parallel scan can take the place of its definition's loop over time; see ``baselines``."""

    def sum_of_outputs(self) -> SumOutputs:
        """Return what is differentiated in reverse mode."""
        return SumOutputs(None, self.outputs, self.model.dtype, self.model.device)


def frechet(channels: int, state: int, seed: int) -> Subject:
    """Return the paper's operator, one layer."""
    words = f"Frechet operator, D {channels}, N {state}"
    return Subject("frechet", words, random_frechet(channels, state, seed), channels, loops=True)


def mamba(sizes: Sizes, seed: int) -> Subject:
    """Return a Mamba."""
    return Subject("mamba", str(sizes), random_mamba(sizes, seed), len(BASE_IDS) - 1, loops=True)


def mamba2(sizes: Sizes, seed: int) -> Subject:
    """Return a Mamba-2 of the same sizes, in heads of 16 channels."""
    model = random_mamba2(sizes, seed)
    words = f"{sizes.layers}-layer Mamba-2, D {sizes.channels}, N {sizes.state}"
    return Subject("mamba2", words, model, len(BASE_IDS) - 1, loops=False)

"""The exact gradient of the mean loss over a batch of whole samples, each by one adjoint sweep."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.models import MambaLM
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.sweeps.adjoint import adjoint_sweep
from pgf_cli.genome import N_CODE
from pgf_cli.training.evaluation import Score

TILE = 1024


def set_gradients(
    model: MambaLM, samples: Sequence[NDArray[np.uint8]], advance: Callable[[int], None] = lambda bases: None
) -> Score:
    """Set every parameter's ``grad`` to that of the mean loss in nats per predicted base; return the loss.

    State and adjoint cross every tile of a sample: nothing is truncated, and memory does not depend on its length.

    Args:
        model: its output is ``logprobs``.
        samples: base codes (L,); the first base of each is not predicted, and N never is.
        advance: told how many bases were read, sample by sample.
    """
    sums: dict[str, Tensor] = {}
    total = Score()
    for codes in samples:
        objective = LogLikelihood(None, model.dtype, model.device)
        sweep = adjoint_sweep(model, codes, objective, end=len(codes), tile=TILE, parameters=True)
        for _ in sweep:
            pass
        for name, bar in (sweep.parameter_bars or {}).items():
            sums[name] = sums[name] + bar if name in sums else bar
        total += Score(-sweep.value, int(np.count_nonzero(codes[1:] != N_CODE)))
        advance(len(codes))
    for name, parameter in model.named_parameters():
        parameter.grad = sums[name] / -max(total.predicted, 1)
    return total

"""transformers in float64 throughout."""

import contextlib

import torch


@contextlib.contextmanager
def no_casts_to_float32():
    """transformers computes its norms and scan in float32 whatever the model's dtype; here float32 means float64."""
    to, as_float = torch.Tensor.to, torch.Tensor.float

    def exact_to(tensor, *arguments, **options):
        swap = {torch.float32: torch.float64}
        arguments = [swap.get(a, a) if isinstance(a, torch.dtype) else a for a in arguments]
        return to(tensor, *arguments, **options)

    torch.Tensor.to, torch.Tensor.float = exact_to, torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.to, torch.Tensor.float = to, as_float

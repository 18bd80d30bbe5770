"""Random arguments of the scan of Mamba-2."""

import torch

from pgf_cli.core.ops.ssd_scan import Scan


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def random_scan(length, a_log=0.0, heads=6, groups=2, head_dim=3, state=5, directions=2):
    """A float64 scan of one stiffness, and tangents, in numbers that float32 holds exactly; B and C are slices."""

    def rows(*shape, seed):
        return normal(*shape[:-1], shape[-1] + 2, seed=seed)[..., 1:-1].float().double()

    A = -torch.exp(a_log + 0.3 * normal(heads))
    h, D = normal(heads, head_dim, state), normal(heads, head_dim)
    primal = Scan(
        normal(length, heads, seed=1).exp(),
        A,
        rows(length, groups, state, seed=2),
        rows(length, groups, state, seed=3),
        D,
        rows(length, heads, head_dim, seed=4),
        h,
    )
    K = directions
    dot = Scan(
        normal(K, length, heads, seed=5),
        A,
        rows(K, length, groups, state, seed=6),
        rows(K, length, groups, state, seed=7),
        D,
        rows(K, length, heads, head_dim, seed=8),
        normal(K, heads, head_dim, state),
    )
    return as_dtype(as_dtype(primal, torch.float32), torch.float64), as_dtype(
        as_dtype(dot, torch.float32), torch.float64
    )


def as_dtype(scan, dtype):
    return Scan(*(tensor.to(dtype) for tensor in scan))

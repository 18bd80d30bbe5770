"""Both recurrences as one writes them for torch to differentiate: step by step, or as an associative scan.

They stand in for the scans of the models' definitions, all else being the models' own code. The definition of the
paper's scan takes phi1 by a series of twenty terms near zero, which is right at any step size and would be an unfair
burden on other people's derivatives; here it is expm1(e) / e, as they write it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops import frechet_scan, selective_scan

Recurrence = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Returns h_t = a_t h_(t-1) + b_t for all t (T, E, N), from a, b (T, E, N) and the state before them (E, N)."""


def step_by_step(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """Take one step after the other."""
    states = []
    for a_t, b_t in zip(a.unbind(), b.unbind(), strict=True):
        h = a_t * h + b_t
        states.append(h)
    return torch.stack(states)


def associative(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """Combine neighbours, scan half as many, and fill in between: log2 T levels, about 2 T products in all.

    Source: Blelloch 1990, "Prefix sums and their applications"; nothing is ever divided by.
    """
    if len(a) == 1:
        return a * h + b
    pairs = len(a) // 2
    first, second = slice(0, 2 * pairs, 2), slice(1, None, 2)
    odd = associative(a[second] * a[first], a[second] * b[first] + b[second], h)
    before = torch.cat([h[None], odd])[: len(a) - pairs]
    even = a[::2] * before + b[::2]
    paired = torch.stack([even[:pairs], odd], dim=1).flatten(0, 1)
    return torch.cat([paired, even[pairs:]])


@contextmanager
def scanning_by(recurrence: Recurrence) -> Iterator[None]:
    """Let every model's ``forward`` take its recurrence this way for as long as this lasts."""

    def selective(scan: selective_scan.Scan) -> tuple[Tensor, Tensor]:
        delta = functional.softplus(scan.step)
        a = torch.exp(delta[..., None] * scan.A)
        states = recurrence(a, (delta * scan.u)[..., None] * scan.B[:, None], scan.h)
        s = torch.einsum("ten,tn->te", states, scan.C) + scan.D * scan.u
        return s * functional.silu(scan.z), states[-1]

    def frechet(scan: frechet_scan.Scan) -> tuple[Tensor, Tensor]:
        e = functional.softplus(scan.step)[..., None] * scan.A
        b = torch.expm1(e) / e * (scan.u[..., None] * scan.B[:, None])
        states = recurrence(torch.exp(e), b, scan.h)
        s = torch.einsum("ten,tn->te", states, scan.C) + scan.D * scan.u
        return functional.softplus(s) * scan.scale, states[-1]

    with (
        patch.object(selective_scan.reference, "forward", selective),
        patch.object(frechet_scan.reference, "forward", frechet),
    ):
        yield

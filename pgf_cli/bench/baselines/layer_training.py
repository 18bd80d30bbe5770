"""A single layer of the paper's operator with a linear output, and two ways to the gradient of a loss at its end.

    y_t = (C_t . h_t + D u_t) scale,    h = 0 before the first step,    loss = mean of (y - target)^2

The compiled scan has a softplus where this has none, and softplus(s) - softplus(-s) = s: two scans that differ in the
signs of C and D are the linear one, exactly but for rounding.

Source: arXiv 2512.23068, Figure 5.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pgf_cli.core.ops import frechet_scan
from pgf_cli.core.ops.frechet_scan import Scan
from pgf_cli.core.ops.linear import linear, weight_vjp
from pgf_cli.core.threads import flush_denormals


class Layer(nn.Module):
    """Its parameters, initialised as torch does, with A = -1."""

    def __init__(self, channels: int, state: int) -> None:
        super().__init__()
        self.A_log = nn.Parameter(torch.zeros(state))
        self.dt_proj = nn.Linear(channels, channels)
        self.B_proj = nn.Linear(channels, state)
        self.C_proj = nn.Linear(channels, state)
        self.D = nn.Parameter(torch.ones(channels))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, u: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return y (T, D) and the state after it, by the definition in differentiable torch."""
        delta, B, C = functional.softplus(self.dt_proj(u)), self.B_proj(u), self.C_proj(u)
        A, rows = -torch.exp(self.A_log), []
        for u_t, delta_t, B_t, C_t in zip(u.unbind(), delta.unbind(), B.unbind(), C.unbind(), strict=True):
            e = delta_t[:, None] * A
            # What one writes: e is far enough from zero here, and a graph of our exact phi1 would be many times larger.
            h = torch.exp(e) * h + torch.expm1(e) / e * B_t * u_t[:, None]
            rows.append(h @ C_t + self.D * u_t)
        return torch.stack(rows) * self.scale, h


def make_layer(channels: int, state: int, seed: int) -> Layer:
    """Return a float32 layer of a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Layer(channels, state)


def autograd_gradients(layer: Layer, u: Tensor, target: Tensor) -> float:
    """Set every parameter's ``grad`` by one graph over the whole sequence; return the loss."""
    return _by_graph(layer, u, target, len(u), keep=True)


def checkpointed_gradients(layer: Layer, u: Tensor, target: Tensor, segment: int) -> float:
    """Set every parameter's ``grad`` by a graph of one segment at a time, computed again; return the loss."""
    return _by_graph(layer, u, target, segment, keep=False)


def _by_graph(layer: Layer, u: Tensor, target: Tensor, segment: int, *, keep: bool) -> float:
    layer.zero_grad()
    h, rows = u.new_zeros(u.shape[1], len(layer.A_log)), []
    for part in torch.split(u, segment):
        y, h = layer(part, h) if keep else checkpoint(layer, part, h, use_reentrant=False)
        rows.append(y)
    loss = functional.mse_loss(torch.cat(rows), target)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def tiled_gradients(layer: Layer, u: Tensor, target: Tensor, tile: int) -> float:
    """Set every parameter's ``grad`` by a forward sweep that keeps states at tile edges, and a sweep back.

    On the way back each tile is computed again, its part of the loss injected, and only the state's adjoint passes on.

    Args:
        layer: its gradients are replaced.
        u, target: (L, D).
        tile: steps.

    Returns:
        The loss.
    """
    edges, bounds = [u.new_zeros(u.shape[1], len(layer.A_log))], range(0, len(u), tile)
    with torch.no_grad(), flush_denormals():
        for start in bounds[:-1]:
            edges.append(frechet_scan.forward(_scan(layer, u[start : start + tile], edges[-1])).h)
        totals = {name: torch.zeros_like(weight) for name, weight in layer.named_parameters()}
        squares, h_bar = 0.0, torch.zeros_like(edges[0])
        for start, edge in zip(reversed(bounds), reversed(edges), strict=True):
            here = slice(start, start + tile)
            part, h_bar, bars = _pull_back(layer, u[here], target[here], edge, h_bar, target.numel())
            squares += part
            for name, bar in bars.items():
                totals[name] += bar
    for name, weight in layer.named_parameters():
        weight.grad = totals[name]
    return squares / target.numel()


def _scan(layer: Layer, u: Tensor, h: Tensor) -> Scan:
    step = linear(u, layer.dt_proj.weight, layer.dt_proj.bias)
    B = linear(u, layer.B_proj.weight, layer.B_proj.bias)
    C = linear(u, layer.C_proj.weight, layer.C_proj.bias)
    A = -torch.exp(layer.A_log).expand(u.shape[1], -1)
    return Scan(step, A, B, C, layer.D, u, layer.scale, h)


def _pull_back(
    layer: Layer, u: Tensor, target: Tensor, h: Tensor, h_bar: Tensor, count: int
) -> tuple[float, Tensor, dict[str, Tensor]]:
    """Squared errors of one tile, the adjoint of the state before it, and its share of the gradients."""
    plus = _scan(layer, u, h)
    minus = plus._replace(C=-plus.C, D=-plus.D)
    passed, mirrored = frechet_scan.forward(plus), frechet_scan.forward(minus)
    difference = passed.y - mirrored.y - target
    y_bar = difference * (2 / count)
    bars = frechet_scan.vjp(plus, passed.edges, y_bar, h_bar)
    others = frechet_scan.vjp(minus, mirrored.edges, -y_bar, torch.zeros_like(h_bar))
    step_bar, B_bar, C_bar = bars.step + others.step, bars.B + others.B, bars.C - others.C
    named = {"A_log": ((bars.A + others.A) * plus.A).sum(0), "D": bars.D - others.D, "scale": bars.scale + others.scale}
    for name, bar in {"dt_proj": step_bar, "B_proj": B_bar, "C_proj": C_bar}.items():
        named |= {f"{name}.weight": weight_vjp(u, bar), f"{name}.bias": bar.sum(0)}
    return float(difference.double().square().sum()), bars.h + others.h, named

"""Each family's arithmetic written out once more, step by step in numpy, for numbers of any format, complex ones too.

Nothing of ``core`` computes here, and no rule of differentiation is used: a definition evaluated at x + i e v has its
derivative along v in the imaginary part, exact to rounding, as nothing is subtracted (``complex_step``). That makes it
an independent source to judge derivatives by.

Source: Squire & Trapp 1998, "Using complex variables to estimate derivatives of real functions".
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pgf_cli.core.models import FrechetModel, Mamba2LM, MambaLM, StreamingModel

Array = NDArray[Any]
Weights = Mapping[str, Array]

Definition = Callable[[Array], Array]
"""Maps the one-hot bases x (L, 4) to the output y (L, C); analytic, so that x may be complex."""

IMAGINARY_STEP = 1e-20
"""So small that its square is lost beside 1 in any format."""
CHUNK = 16
"""Steps of time of which arrays (steps, channels, states) exist together."""
_TORCH_SOFTPLUS_LIMIT = 20


class Scan(NamedTuple):
    """Arguments of a recurrence over T bases and E channels: those of ``core.ops``, without what follows it."""

    step: Array
    """Step sizes before softplus, (T, E)."""
    A: Array
    """State matrix, (E, N)."""
    B: Array
    """Input map, (T, N)."""
    C: Array
    """Output map, (T, N)."""
    D: Array
    """Skip weights, (E,)."""
    u: Array
    """Inputs, (T, E)."""
    h: Array
    """State before, (E, N)."""


def definition(model: StreamingModel, dtype: DTypeLike = np.float64) -> Definition:
    """Return what a model computes, with its weights in a real format."""
    weights = {name: weight.numpy(force=True).astype(dtype) for name, weight in model.named_parameters()}
    if isinstance(model, FrechetModel):
        return partial(_frechet, model.lookahead, weights)
    assert isinstance(model, MambaLM | Mamba2LM)
    mixer = (
        _mamba_mixer
        if isinstance(model, MambaLM)
        else partial(_mamba2_mixer, model.config.heads, model.config.norm_eps)
    )
    return partial(_language_model, model, mixer, weights)


def complex_step(function: Definition, x: Array, v: Array) -> Array:
    """Return the derivative of a definition at x along v, (L, C), good to rounding in float64."""
    derivative: Array = function(x + 1j * IMAGINARY_STEP * v).imag / IMAGINARY_STEP
    return derivative


def recurrence(scan: Scan, *, held: bool) -> tuple[Array, Array]:
    """Return C . h + D u (T, E) and the state after; the paper's ``held`` input or Mamba's Euler step."""
    step, A, B, C, D, u, h = scan
    delta, s = softplus(step), D * u
    for first in range(0, len(u), CHUNK):
        here = slice(first, first + CHUNK)
        z = delta[here, :, None] * A
        m = np.expm1(z)
        states = (m / z if held else delta[here, :, None]) * u[here, :, None] * B[here, None]
        for j in range(len(states)):
            # Only so are slow states exact in float32; in float64 it makes no difference.
            h = h + (m[j] * h + states[j])
            states[j] = h
        s[here] += (states @ C[here, :, None])[..., 0]
    return s, h


def softplus(x: Array) -> Array:
    """Return log(1 + e^x), and x itself above 20, as torch has it: there the two differ by up to 2e-9."""
    large = x.real > _TORCH_SOFTPLUS_LIMIT
    value: Array = np.where(large, x, np.log1p(np.exp(np.where(large, 0, x))))
    return value


def _silu(x: Array) -> Array:
    gated: Array = x / (1 + np.exp(-x))
    return gated


def _rms_norm(x: Array, weight: Array, eps: float) -> Array:
    normed: Array = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight
    return normed


def _causal_conv(x: Array, taps: Array, bias: Array) -> Array:
    """SiLU of a convolution of x (L, E) with taps (E, 1, K), the last of which is for the present."""
    count = taps.shape[-1]
    padded = np.concatenate([np.zeros_like(x[:1]).repeat(count - 1, 0), x])
    return _silu(sum(padded[k : k + len(x)] * taps[:, 0, k] for k in range(count)) + bias)


def _frechet(window: int, weights: Weights, x: Array) -> Array:
    u = x @ weights["embed.weight"]
    inner, state = u.shape[1], len(weights["A_log"])
    h: Array = np.zeros((inner, state), x.dtype)
    if len(u) >= window:
        h = weights["init_estimator.weight"] @ u[:window].ravel() + weights["init_estimator.bias"]
    step, B, C = (u @ weights[f"{name}.weight"].T + weights[f"{name}.bias"] for name in ("dt_proj", "B_proj", "C_proj"))
    A = np.broadcast_to(-np.exp(weights["A_log"]), (inner, state))
    s, _ = recurrence(Scan(step, A, B, C, weights["D"], u, h.reshape(A.shape)), held=True)
    scale: Array = np.maximum(weights["redshift_scale"], weights["redshift_scale"].dtype.type(0.5))
    return softplus(s) * scale


def _language_model(model: MambaLM | Mamba2LM, mixer: Callable[[Weights, Array], Array], w: Weights, x: Array) -> Array:
    rows, eps, bases = w["embedding.weight"], model.config.norm_eps, list(model.base_ids[:4])
    r = x @ rows[bases]
    for layer in range(model.config.n_layer):
        prefix = f"layers.{layer}."
        own = {name.removeprefix(prefix): weight for name, weight in w.items() if name.startswith(prefix)}
        r = r + mixer(own, _rms_norm(r, own["norm.weight"], eps))
    logits = _rms_norm(r, w["norm_f.weight"], eps) @ rows.T
    log_p: Array = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return log_p[:, bases]


def _mamba_mixer(w: Weights, x: Array) -> Array:
    rank, state = w["mixer.dt_proj.weight"].shape[1], w["mixer.A_log"].shape[1]
    u, z = np.split(x @ w["mixer.in_proj.weight"].T, 2, axis=1)
    u = _causal_conv(u, w["mixer.conv1d.weight"], w["mixer.conv1d.bias"])
    low, B, C = np.split(u @ w["mixer.x_proj.weight"].T, [rank, rank + state], axis=1)
    step = low @ w["mixer.dt_proj.weight"].T + w["mixer.dt_proj.bias"]
    A = -np.exp(w["mixer.A_log"])
    s, _ = recurrence(Scan(step, A, B, C, w["mixer.D"], u, np.zeros_like(A)), held=False)
    return (s * _silu(z)) @ w["mixer.out_proj.weight"].T


def _mamba2_mixer(heads: int, eps: float, w: Weights, x: Array) -> Array:
    """One group of B and C, and one step size and decay a head."""
    inner, maps = w["mixer.norm.weight"].shape[0], w["mixer.conv1d.weight"].shape[0]
    state, of_head = (maps - inner) // 2, np.arange(heads).repeat(inner // heads)
    z, uBC, step = np.split(x @ w["mixer.in_proj.weight"].T, [inner, inner + maps], axis=1)
    uBC = _causal_conv(uBC, w["mixer.conv1d.weight"], w["mixer.conv1d.bias"])
    u, B, C = np.split(uBC, [inner, inner + state], axis=1)
    A = -np.exp(w["mixer.A_log"])[of_head, None].repeat(state, 1)
    step = (step + w["mixer.dt_bias"])[:, of_head]
    s, _ = recurrence(Scan(step, A, B, C, w["mixer.D"][of_head], u, np.zeros_like(A)), held=False)
    gated = _rms_norm(s * _silu(z), w["mixer.norm.weight"], eps)
    return gated @ w["mixer.out_proj.weight"].T

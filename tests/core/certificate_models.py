"""Models that a certificate is tried on, and kernels with a fault planted in them.

The faulty scans are written from the recurrence in torch, beside and not from the compiled kernels.
"""

import math

import numpy as np
import torch

from pgf_cli.core.models import BaseIds, FrechetConfig, FrechetModel, MambaConfig, MambaLM
from pgf_cli.core.models.mamba_block import selective_scan
from pgf_cli.core.ops.activations import silu_jvp, softplus_jvp
from pgf_cli.core.ops.scan_results import ScanDual
from pgf_cli.training import initial_weights


def random_codes(length, seed=5):
    return np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)


def initial_mamba(d_model, n_layer, *, a_log=None):
    """A float32 Mamba at its usual initial weights."""
    config = MambaConfig(
        d_model=d_model, n_layer=n_layer, d_inner=2 * d_model, d_state=16, d_conv=4,
        dt_rank=math.ceil(d_model / 16), vocab_size=8,
    )  # fmt: skip
    model = MambaLM(config, BaseIds(0, 1, 2, 3, 4), "logprobs").requires_grad_(False)
    model.load_state_dict(initial_weights(config, 0))
    for block in model.blocks if a_log is not None else ():
        block.mixer.A_log.fill_(a_log)
    return model


def steady_slow_mamba():
    """One layer whose step sizes do not depend on the input and whose states take 10^4 to 10^6 bases to decay."""
    model = initial_mamba(16, 1, a_log=-8.0)
    model.blocks[0].mixer.dt_proj.weight.zero_()
    return model


def ill_conditioned(model, deviation=0.15):
    """The model with every parameter moved by a normal number."""
    generator = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        weight.add_(torch.randn(weight.shape, generator=generator) * deviation)
    return model


def random_frechet(a_log=None):
    generator = torch.Generator().manual_seed(3)
    model = FrechetModel(FrechetConfig(d_model=5, d_state=3, embedded=True)).to(torch.float64).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator).double() * 0.5)
    if a_log is not None:
        model.A_log.fill_(a_log)
    return model


def scan_with(monkeypatch, faulty):
    """Let float32 models scan by ``faulty(right, primal, dot)``; what float64 does stays right."""
    right = selective_scan.jvp

    def jvp(primal, dot):
        return faulty(right, primal, dot) if primal.h.dtype == torch.float32 else right(primal, dot)

    monkeypatch.setattr(selective_scan, "jvp", jvp)


def losing_scan(right, primal, dot):
    """h_t = a h_(t-1) + b: where a is nearly 1, its rounding is the same at every base, and adds up."""
    return _scan(primal, dot, torch.exp, lambda a, h, b: a * h + b)


def four_term_scan(right, primal, dot):
    """The right recurrence with an exponential of four terms, 1 + z + z^2/2 + z^3/6."""
    return _scan(primal, dot, lambda z: 1 + z * (1 + z / 2 * (1 + z / 3)), lambda a, h, b: h + ((a - 1) * h + b))


def _scan(primal, dot, exponential, update):
    _, A, B, C, D, u, z, h = primal
    deltas = softplus_jvp(torch.cat([primal.step[None], dot.step]))
    delta, delta_dot, h_dot = deltas[0], deltas[1:], dot.h
    a = exponential(delta[..., None] * A)
    a_dot = a * (delta_dot[..., None] * A)
    b = (delta * u)[..., None] * B[:, None]
    b_dot = (delta_dot * u + delta * dot.u)[..., None] * B[:, None] + (delta * u)[..., None] * dot.B[:, :, None]
    rows, rows_dot = [], []
    for t in range(len(u)):
        h_dot = update(a[t], h_dot, a_dot[:, t] * h + b_dot[:, t])
        h = update(a[t], h, b[t])
        rows.append(h @ C[t] + D * u[t])
        rows_dot.append(h_dot @ C[t] + (h * dot.C[:, t, None]).sum(-1) + D * dot.u[:, t])
    s, s_dot = torch.stack(rows), torch.stack(rows_dot, 1)
    gate, gate_dot = silu_jvp(z, dot.z)
    return ScanDual(torch.cat([(s * gate)[None], s_dot * gate + s * gate_dot]), h, h_dot)

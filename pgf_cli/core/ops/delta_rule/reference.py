"""The gated delta rule of Kimi delta attention, one base at a time: the definition that every fast kernel is tested
against, and its analytic derivatives. Per head, with S (Dk, Dv) and m_t = exp(decay_t) - 1:

    R_t = S_(t-1) + m_t S_(t-1)            what is left of the state: each row decays by itself
    w_t = beta_t (v_t - R_t^T k_t)         what the state should hold for k_t and does not
    S_t = R_t + k_t w_t^T,                 y_t = S_t^T q_t

Changes of a state are added up before they are added to it, without which float32 loses what a slow state keeps.

Source: Kimi Linear, arXiv 2510.26692, equation of KDA's recurrence, with decay before the write.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Rule(NamedTuple):
    """Arguments over one tile of T bases and H heads.

    Its tangents along K directions are the same with a leading K; its adjoints are the same.
    """

    q: Tensor
    """What is asked of the state, (T, H, Dk)."""
    k: Tensor
    """Where it is written, (T, H, Dk)."""
    v: Tensor
    """What is written, (T, H, Dv)."""
    decay: Tensor
    """Logarithm of what is kept of each row of the state, (T, H, Dk), negative."""
    beta: Tensor
    """How much of the difference is written, (T, H)."""
    S: Tensor
    """State before the tile, (H, Dk, Dv)."""


class RuleDual(NamedTuple):
    """Output and state after the tile with their tangents."""

    y: Tensor
    """The stack (1 + K, T, H, Dv)."""
    S: Tensor
    S_dot: Tensor
    """(K, H, Dk, Dv)."""


def forward(rule: Rule) -> tuple[Tensor, Tensor]:
    """Return y (T, H, Dv) and the state after the tile, differentiably."""
    q, k, v, decay, beta, S = rule
    m, rows = torch.expm1(decay), []
    for t in range(len(q)):
        lost = m[t, :, :, None] * S
        w = beta[t, :, None] * (v[t] - _read(k[t], S + lost))
        S = S + (lost + k[t, :, :, None] * w[:, None])
        rows.append(_read(q[t], S))
    return torch.stack(rows), S


def jvp(primal: Rule, dot: Rule) -> RuleDual:
    """Return y, S and their tangents along K directions.

    R_dot = S_dot + m S_dot + m_dot S,     w_dot = beta_dot (v - R^T k) + beta (v_dot - R_dot^T k - R^T k_dot)
    S_dot <- R_dot + k_dot w^T + k w_dot^T,     y_dot = S_dot^T q + S^T q_dot
    """
    q, k, v, decay, beta, S = primal
    m, S_dot = torch.expm1(decay), dot.S
    m_dot = torch.exp(decay) * dot.decay
    rows, rows_dot = [], []
    for t in range(len(q)):
        k_t, k_dot = k[t], dot.k[:, t]
        lost, lost_dot = m[t, :, :, None] * S, m[t, :, :, None] * S_dot + m_dot[:, t, :, :, None] * S
        missing = v[t] - _read(k_t, S + lost)
        missing_dot = dot.v[:, t] - _read(k_t, S_dot + lost_dot) - _read(k_dot, S + lost)
        w = beta[t, :, None] * missing
        w_dot = dot.beta[:, t, :, None] * missing + beta[t, :, None] * missing_dot
        S = S + (lost + k_t[:, :, None] * w[:, None])
        S_dot = S_dot + (lost_dot + k_dot[..., None] * w[:, None] + k_t[:, :, None] * w_dot[:, :, None])
        rows.append(_read(q[t], S))
        rows_dot.append(_read(q[t], S_dot) + _read(dot.q[:, t], S))
    return RuleDual(torch.cat([torch.stack(rows)[None], torch.stack(rows_dot, dim=1)]), S, S_dot)


def vjp(primal: Rule, y_bar: Tensor, S_bar: Tensor) -> Rule:
    """Return the adjoints of all arguments, computing the states again.

        S_bar <- S_bar + q y_bar^T,     w_bar = S_bar^T k,     v_bar = beta w_bar
        R_bar = S_bar - k v_bar^T,      k_bar = S_bar w - R v_bar,     m_bar = R_bar . S_(t-1)
        S_bar_(t-1) = R_bar + m R_bar

    Args:
        primal: the arguments.
        y_bar: adjoint of the output, (T, H, Dv).
        S_bar: adjoint of the state after the tile, (H, Dk, Dv).
    """
    q, k, v, decay, beta, S = primal
    m, states = torch.expm1(decay), [S]
    for t in range(len(q)):
        here = slice(t, t + 1)
        _, S = forward(Rule(q[here], k[here], v[here], decay[here], beta[here], S))
        states.append(S)
    bars = Rule(*(torch.zeros_like(part) for part in primal))
    # What a step changes of the adjoint, added to it together with what the next one does.
    change = torch.zeros_like(S_bar)
    for t in reversed(range(len(q))):
        m_t, k_t, before = m[t, :, :, None], k[t], states[t]
        left = before + m_t * before
        missing = v[t] - _read(k_t, left)
        S_bar = S_bar + (change + q[t, :, :, None] * y_bar[t, :, None])
        w_bar = _read(k_t, S_bar)
        v_bar = beta[t, :, None] * w_bar
        change = -k_t[:, :, None] * v_bar[:, None]
        R_bar = S_bar + change
        bars.q[t] = (states[t + 1] * y_bar[t, :, None]).sum(-1)
        bars.k[t] = (S_bar * (beta[t, :, None] * missing)[:, None]).sum(-1) - (left * v_bar[:, None]).sum(-1)
        bars.v[t] = v_bar
        bars.beta[t] = (w_bar * missing).sum(-1)
        bars.decay[t] = torch.exp(decay[t]) * (R_bar * before).sum(-1)
        change = change + m_t * R_bar
    return bars._replace(S=S_bar + change)


def _read(rows: Tensor, S: Tensor) -> Tensor:
    """S^T rows, (..., H, Dv), for rows (..., H, Dk)."""
    return (rows[..., None, :] @ S)[..., 0, :]

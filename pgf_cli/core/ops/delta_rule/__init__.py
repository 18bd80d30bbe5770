"""The gated delta rule: S_t = R_t + beta_t k_t (v_t - R_t^T k_t)^T, R_t = exp(decay_t) S_(t-1), y_t = S_t^T q_t."""

from typing import NamedTuple

from torch import Tensor

from pgf_cli.core.ops.delta_rule import reference
from pgf_cli.core.ops.delta_rule.reference import Rule, RuleDual
from pgf_cli.core.ops.fast_path import fast_path

__all__ = ["Rule", "RuleDual", "RulePass", "forward", "jvp", "reference", "vjp"]


class RulePass(NamedTuple):
    """Output y (T, H, Dv) and state (H, Dk, Dv) after the tile, and what the way back needs."""

    y: Tensor
    S: Tensor
    edges: Tensor | None
    """States at the edges of spans of time, from which a fast ``vjp`` computes all others again."""


def forward(primal: Rule) -> RulePass:
    """One tile by the fastest path for the tensors' device, with what ``vjp`` needs of it."""
    fast = fast_path(__name__, primal.q)
    return RulePass(*fast.forward(primal)) if fast else RulePass(*reference.forward(primal), edges=None)


def jvp(primal: Rule, dot: Rule) -> RuleDual:
    """Primal and K tangents of one tile by the fastest path for the tensors' device; see ``reference.jvp``."""
    result: RuleDual = (fast_path(__name__, primal.q) or reference).jvp(primal, dot)
    return result


def vjp(primal: Rule, edges: Tensor | None, y_bar: Tensor, S_bar: Tensor) -> Rule:
    """Adjoints of all arguments by the fastest path; ``edges`` from ``forward``; see ``reference.vjp``."""
    fast = fast_path(__name__, primal.q)
    bars: Rule = fast.vjp(primal, edges, y_bar, S_bar) if fast else reference.vjp(primal, y_bar, S_bar)
    return bars

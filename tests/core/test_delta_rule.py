"""The compiled gated delta rule against its definition, and that against torch.func, which knows no formula."""

import pytest
import torch

from pgf_cli.core.ops import delta_rule
from pgf_cli.core.ops.delta_rule import Rule, cpu, reference

SHAPES = {"odd": (37, 3, 5, 7), "one base": (1, 2, 4, 4), "rows longer than the lanes": (18, 2, 33, 40)}


def random_rule(shape, dtype=torch.float64, directions=(), decay=1.0):
    length, heads, keys, values = shape
    generator = torch.Generator().manual_seed(length + len(directions))

    def normal(*sizes):
        return torch.randn(*directions, *sizes, generator=generator, dtype=torch.float64).to(dtype)

    keyed = (length, heads, keys)
    beta, S = normal(length, heads), normal(heads, keys, values)
    rule = Rule(normal(*keyed), normal(*keyed), normal(length, heads, values), normal(*keyed), beta, S)
    if directions:
        return rule
    unit = torch.nn.functional.normalize
    return rule._replace(
        q=unit(rule.q, dim=-1), k=unit(rule.k, dim=-1), decay=-rule.decay.abs() * decay, beta=beta.sigmoid()
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("module", [reference, cpu], ids=["definition", "compiled"])
def test_tangents_and_adjoints_equal_torch_func(module, shape):
    primal, dot = random_rule(shape), random_rule(shape, directions=(2,))
    y, S = reference.forward(primal)
    dual = module.jvp(primal, dot)
    for d in range(2):
        along = torch.func.jvp(
            lambda *parts: reference.forward(Rule(*parts)), tuple(primal), tuple(part[d] for part in dot)
        )
        for found, expected in zip((dual.y[0], dual.S, dual.y[1 + d], dual.S_dot[d]), (y, S, *along[1]), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
    y_bar, S_bar = torch.ones_like(y) * 0.7 - y, S.flip(1)
    _, pull_back = torch.func.vjp(lambda *parts: reference.forward(Rule(*parts)), *primal)
    if module is cpu:
        bars = cpu.vjp(primal, cpu.forward(primal)[2], y_bar, S_bar)
    else:
        bars = reference.vjp(primal, y_bar, S_bar)
    for name, found, expected in zip(Rule._fields, bars, pull_back((y_bar, S_bar)), strict=True):
        torch.testing.assert_close(
            found, expected, rtol=1e-10, atol=1e-11, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("decay", [1e-5, 1.0, 100.0])
def test_float32_keeps_slow_and_stiff_states(decay):
    exact = random_rule((600, 2, 8, 8), decay=decay)
    exact = Rule(*(part.float().double() for part in exact))
    single = Rule(*(part.float() for part in exact))
    y, S, edges = delta_rule.forward(single)
    expected, expected_S = reference.forward(exact)
    for found, right in ((y, expected), (S, expected_S)):
        assert (found.double() - right).norm() <= 2e-6 * right.norm()
    bars = delta_rule.vjp(single, edges, single.v, torch.zeros_like(S))
    for found, right in zip(bars, reference.vjp(exact, exact.v, torch.zeros_like(exact.S)), strict=True):
        assert (found.double() - right).norm() <= 5e-6 * right.norm()


def test_arguments_are_left_alone():
    primal = random_rule(SHAPES["odd"])
    kept = [part.clone() for part in primal]
    y, S, edges = delta_rule.forward(primal)
    S_bar = S.clone()
    delta_rule.vjp(primal, edges, y, S)
    delta_rule.jvp(primal, random_rule(SHAPES["odd"], directions=(1,)))
    assert all(torch.equal(part, before) for part, before in zip((*primal, S), (*kept, S_bar), strict=True))

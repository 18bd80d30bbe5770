"""Mamba-2 against transformers' own in float64, its recurrence against the definition one base after the other."""

import math

import numpy as np
import pytest
import torch

from pgf_cli.core.certificate import certify, relative_error
from pgf_cli.core.models import BaseIds, Mamba2Config, Mamba2LM
from pgf_cli.core.models.mamba2_block import Mamba2SizesError
from pgf_cli.core.models.protocol import map_state
from pgf_cli.core.one_hot import one_hot

CPU = torch.device("cpu")
BASE_IDS = BaseIds(3, 1, 2, 0, 5)

VARIANTS = {
    "one group": {},
    "two groups": {"groups": 2},
    "every option": {
        "groups": 2,
        "tied": False,
        "projection_bias": True,
        "conv_bias": False,
        "d_conv": 2,
        "n_layer": 2,
        "delta_min": 0.5,
        "delta_max": 1.0,
    },
}


def random_mamba2(base_ids=BASE_IDS, output="logits", **sizes):
    """A float64 Mamba-2 whose every tensor is random, in numbers that float32 holds exactly."""
    defaults = {"d_model": 12, "n_layer": 3, "heads": 6, "head_dim": 4, "d_state": 5, "vocab_size": 8}
    model = Mamba2LM(Mamba2Config(**(defaults | sizes)), base_ids, output).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
        if "norm" in name:
            parameter.add_(1.0)
    return model


class Oracle:
    """transformers' Mamba-2 with the weights of ours, in float64 throughout."""

    def __init__(self, model):
        from transformers import Mamba2Config as TheirConfig
        from transformers import Mamba2ForCausalLM

        ours = model.config
        config = TheirConfig(
            vocab_size=ours.vocab_size,
            hidden_size=ours.d_model,
            num_hidden_layers=ours.n_layer,
            num_heads=ours.heads,
            head_dim=ours.head_dim,
            state_size=ours.d_state,
            n_groups=ours.groups,
            conv_kernel=ours.d_conv,
            use_bias=ours.projection_bias,
            use_conv_bias=ours.conv_bias,
            time_step_limit=(ours.delta_min or 0.0, ours.delta_max or math.inf),
            tie_word_embeddings=ours.tied,
            residual_in_fp32=False,
            chunk_size=32,
        )
        self.rows = torch.cat([torch.zeros(1, ours.d_model), model.embedding.weight])[[*self._ids(model.base_ids)]]
        self.model = Mamba2ForCausalLM(config).double().eval()
        names = {"embedding.weight": "backbone.embeddings.weight", "lm_head.weight": "lm_head.weight"}
        weights = {names.get(name, f"backbone.{name}"): weight for name, weight in model.state_dict().items()}
        weights.setdefault("lm_head.weight", model.embedding.weight)
        self.model.load_state_dict(weights)

    @staticmethod
    def _ids(base_ids):
        """Rows of an embedding that begins with a row of zeros, which stands for an N without a row of its own."""
        return [0 if base is None else base + 1 for base in base_ids]

    def logits(self, x):
        return self.model(inputs_embeds=(x @ self.rows)[None], use_cache=False).logits[0]

    def states(self, x):
        """Of every layer: the convolution's last inputs, of which the cache holds one too many, and the recurrence."""
        cache = self.model(inputs_embeds=(x @ self.rows)[None], use_cache=True).cache_params
        for layer in cache.layers:
            yield layer.conv_states[0][0].T[1:], layer.recurrent_states[0][0]


@pytest.fixture
def make_oracle(monkeypatch):
    """transformers casts to float32 in its norms and scan; with its casts made ones to float64 it is exact."""
    to = torch.Tensor.to

    def exact_to(tensor, *arguments, **options):
        return to(tensor, *(torch.float64 if a is torch.float32 else a for a in arguments), **options)

    monkeypatch.setattr(torch.Tensor, "to", exact_to)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    return Oracle


def tiled(model, x, tiles):
    """The outputs and the states before every tile and after the last."""
    states, rows = [model.initial_state(x[:0])], []
    for part in x.split(tiles):
        y, after = model(part, states[-1])
        rows.append(y)
        states.append(after)
    return torch.cat(rows), states


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("tiles", [[150], [1, 2, 83, 64]], ids=["one tile", "ragged tiles"])
def test_outputs_and_states_equal_those_of_transformers(variant, tiles, make_oracle, dna):
    model = random_mamba2(**VARIANTS[variant])
    x = one_hot(dna(150, n_run=9), torch.float64, CPU)
    oracle = make_oracle(model)
    y, states = tiled(model, x, tiles)
    with torch.no_grad():
        torch.testing.assert_close(y, oracle.logits(x), rtol=1e-11, atol=1e-12)
        for (state,), expected in zip(states[-1], oracle.states(x), strict=True):
            torch.testing.assert_close(tuple(state), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_tangents_and_gradients_in_ragged_tiles_equal_those_of_transformers(variant, make_oracle, dna):
    model = random_mamba2(**VARIANTS[variant])
    tiles = [1, 2, 37, 64]
    x = one_hot(dna(sum(tiles), n_run=9), torch.float64, CPU)
    generator = torch.Generator().manual_seed(0)
    x_dot = torch.randn(2, *x.shape, dtype=torch.float64, generator=generator)
    y_bar = torch.randn(len(x), 8, dtype=torch.float64, generator=generator)
    oracle = make_oracle(model)
    for k in range(2):
        _, expected = torch.func.jvp(oracle.logits, (x,), (x_dot[k],))
        torch.testing.assert_close(tangents(model, x, x_dot, tiles)[k], expected, rtol=1e-9, atol=1e-11)
    x_bar, bars = gradients(model, x, y_bar, tiles)
    x.requires_grad_()
    (expected,) = torch.autograd.grad((y_bar * oracle.logits(x)).sum(), x)
    torch.testing.assert_close(x_bar, expected, rtol=1e-9, atol=1e-11)
    assert_parameter_gradients_equal(bars, model, x.detach(), y_bar, oracle)


def assert_parameter_gradients_equal(bars, model, x, y_bar, oracle):
    """The oracle's own embedding is bypassed, and untied for it: a tied head's gradient is the two parts' sum."""
    rows = oracle.rows.requires_grad_()
    named = dict(oracle.model.named_parameters())
    (y_bar * oracle.logits(x)).sum().backward()
    embedding_bar = torch.zeros_like(model.embedding.weight).index_add_(0, torch.tensor(model.base_ids), rows.grad)
    if model.config.tied:
        embedding_bar += named["backbone.embeddings.weight"].grad
    for name, _ in model.named_parameters():
        if name == "embedding.weight":
            expected = embedding_bar
        else:
            expected = named[name if name.startswith("lm_head") else f"backbone.{name}"].grad
        torch.testing.assert_close(bars[name], expected, rtol=1e-9, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("a_log", [-8.0, -1.0, 6.0])
def test_tangents_and_gradients_are_adjoint_to_each_other_across_tiles(a_log, dna):
    model = random_mamba2(groups=2)
    for block in model.blocks:
        block.mixer.A_log.fill_(a_log)
    tiles = [1, 2, 37, 70]
    x = one_hot(dna(sum(tiles), n_run=9), torch.float64, CPU)
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(1, *x.shape, dtype=torch.float64, generator=generator)
    w = torch.randn(len(x), 8, dtype=torch.float64, generator=generator)
    y_dot = tangents(model, x, v, tiles)[0]
    x_bar, _ = gradients(model, x, w, tiles)
    assert abs((w * y_dot).sum() - (x_bar * v[0]).sum()) <= 1e-12 * y_dot.norm()


def tangents(model, x, x_dot, tiles):
    state, state_dot = model.initial_jvp(x[:0], x_dot[:, :0])
    rows = []
    for part, part_dot in zip(x.split(tiles), x_dot.split(tiles, 1), strict=True):
        _, y_dot, state, state_dot = model.jvp(part, part_dot, state, state_dot)
        rows.append(y_dot)
    return torch.cat(rows, 1)


def gradients(model, x, y_bar, tiles):
    """x_bar and the gradients of all parameters, from right to left through the states before the tiles."""
    _, states = tiled(model, x, tiles)
    state_bar = map_state(torch.zeros_like, states[-1])
    x_bars, bars = [], {}
    for part, part_bar, state in zip(x.split(tiles)[::-1], y_bar.split(tiles)[::-1], states[-2::-1], strict=True):
        pulled = model.vjp(part, state, part_bar, state_bar, parameters=True)
        state_bar = pulled.state_bar
        x_bars.append(pulled.x_bar)
        bars = {name: bars.get(name, 0) + bar for name, bar in pulled.parameter_bars.items()}
    return torch.cat(x_bars[::-1]), bars


def test_a_vocabulary_without_n_reads_n_as_zeros(make_oracle, dna):
    model = random_mamba2(BASE_IDS._replace(n=None))
    x = one_hot(dna(30, n_run=9), torch.float64, CPU)
    assert not model.reads_n
    with torch.no_grad():
        y, _ = model(x, model.initial_state(x[:0]))
        torch.testing.assert_close(y, make_oracle(model).logits(x), rtol=1e-11, atol=1e-12)


def test_logprobs_are_those_of_the_four_bases_among_every_row_of_the_head(make_oracle, dna):
    model = random_mamba2(output="logprobs", tied=False)
    x = one_hot(dna(20), torch.float64, CPU)
    logits = make_oracle(model).logits(x).detach().numpy()
    expected = np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))[:, [3, 1, 2, 0]]
    y, _ = model(x, model.initial_state(x[:0]))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_check_of_the_certificate_passes_finite_differences_and_adjoint_identity_included(dtype, dna):
    model = random_mamba2(output="logprobs", groups=2, n_layer=2).to(dtype)
    certificate = certify(model, dna(100))
    assert certificate.passed, [check for check in certificate.checks if not check.passed]


@pytest.mark.parametrize("a_log", [-8.0, 6.0])
def test_float32_follows_float64_over_ten_thousand_bases(a_log, dna):
    double = random_mamba2(n_layer=2)
    for block in double.blocks:
        block.mixer.A_log.fill_(a_log)
    x = one_hot(dna(10_000), torch.float64, CPU)
    x_dot = (x - 0.25)[None]
    tiles = [3000, 4001, 2999]
    expected = tangents(double, x, x_dot, tiles)
    single = double.float()
    assert relative_error(tangents(single, x.float(), x_dot.float(), tiles).double(), expected) < 1e-5


def test_a_fresh_model_begins_with_steps_between_a_thousandth_and_a_tenth():
    mixer = random_mamba2().blocks[0].mixer
    fresh = type(mixer)(mixer.config)
    delta = torch.nn.functional.softplus(fresh.dt_bias)
    assert ((delta > 0.9e-3) & (delta < 0.11)).all()
    assert ((fresh.A_log.exp() >= 1) & (fresh.A_log.exp() <= 16)).all()


def test_heads_that_groups_cannot_share_are_refused():
    with pytest.raises(Mamba2SizesError, match=r"6 heads in 4 groups.*divisor"):
        random_mamba2(groups=4)

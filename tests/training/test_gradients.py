import numpy as np
import pytest
import torch
from torch.nn import functional

from pgf_cli.core.one_hot import one_hot
from pgf_cli.training import gradients, set_gradients


def autograd_loss(model, samples):
    """Mean loss in nats per predicted base, by the definition of the model in differentiable torch."""
    losses, predicted = [], 0
    for codes in samples:
        x = one_hot(codes, model.dtype, model.device)
        log_p = model(x, model.initial_state(x[:0]))[0]
        labels = torch.from_numpy(codes[1:].astype(np.int64))
        labels[labels == 4] = -100
        losses.append(functional.nll_loss(log_p[:-1], labels, reduction="sum"))
        predicted += int((labels >= 0).sum())
    return sum(losses) / predicted


@pytest.mark.parametrize("tied", [True, False])
def test_gradients_of_a_batch_are_those_of_autograd(make_mamba, dna, monkeypatch, tied):
    monkeypatch.setattr(gradients, "TILE", 16)
    model = make_mamba(n_layer=2, tied=tied)
    samples = [dna(50, n_run=20), dna(33)]
    score = set_gradients(model, samples)
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    loss = autograd_loss(model.requires_grad_(True), samples)
    loss.backward()
    assert score.nats / score.predicted == pytest.approx(loss.item(), rel=1e-12)
    for name, parameter in model.named_parameters():
        error = (found[name] - parameter.grad).norm() / parameter.grad.norm()
        assert error < 1e-9, name


def test_a_batch_without_a_base_to_predict_has_no_gradient(toy_mamba):
    score = set_gradients(toy_mamba, [np.array([1, 4, 4], np.uint8)])
    assert score.predicted == 0
    assert all(not parameter.grad.any() for parameter in toy_mamba.parameters())

"""The Python API against an independent model: reverse- and forward-mode autograd of transformers' Mamba in float64."""

import numpy as np
import torch

import pgf_cli


def relative(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def test_gradient_response_and_logprobs_of_a_string_equal_those_of_transformers(oracle, folder, bases):
    model = pgf_cli.load_model(folder / "model", dtype="float64")
    s = pgf_cli.sensitivity(model, bases, ghost_distance=0, gradient_correction=False)

    x = oracle.x.clone().requires_grad_()
    labels = oracle.codes
    with oracle.exact():
        log_p = oracle.log_probabilities(x)
        phi = sum(log_p[at - 1, labels[at]] for at in range(1, len(labels)) if labels[at] != 4)
        (x_bar,) = torch.autograd.grad(phi, x)
        contrast = torch.where(torch.tensor(labels != 4)[:, None], oracle.x[:, :4] - 0.25, 0.0)
        v = torch.cat([contrast, torch.zeros(len(labels), 1)], 1)
        _, y_dot = torch.func.jvp(oracle.log_probabilities, (oracle.x.clone(),), (v,))
    known = labels != 4
    exact = x_bar[:, :4].detach().numpy() * known[:, None]
    assert relative(s.gradient, exact) <= 1e-9
    assert relative(s.contribution[known], exact[known, labels[known]]) <= 1e-9
    assert relative(s.response[known], np.linalg.norm(y_dot[:, :4].detach().numpy(), axis=1)[known]) <= 1e-9
    assert relative(s.logprobs, log_p.detach().numpy()[:, :4]) <= 1e-9
    assert abs(s.objective - phi.item()) <= 1e-9 * abs(phi.item())
    assert np.isnan(s.contribution[~known]).all()
    assert np.isnan(s.response[~known]).all()

"""Both strands against an independent model: autograd of transformers' Mamba on the reverse complement, in float64."""

import numpy as np
import pytest
import torch
from torch.func import jvp

RUN = {"mode": "both", "formats": ("npz", "bedgraph"), "gradient_correction": False, "ghost_distance": 0, "threads": 1}
COMPLEMENT = np.array([3, 2, 1, 0, 4])


@pytest.fixture(scope="module")
def expected(oracle):
    """By strand, in forward coordinates: the log-likelihood's gradient (L, 4), 0 at N, and the response (L,)."""
    found = {}
    for strand in ("forward", "reverse"):
        codes = oracle.codes if strand == "forward" else COMPLEMENT[oracle.codes[::-1]]
        x = torch.eye(5, dtype=torch.float64)[codes.copy()]
        v = torch.where(x[:, 4:] > 0, 0.0, x - 0.25) * torch.tensor([1.0, 1, 1, 1, 0], dtype=torch.float64)
        with oracle.exact():
            leaf = x.clone().requires_grad_()
            log_p = oracle.log_probabilities(leaf)
            phi = sum(log_p[at - 1, codes[at]] for at in range(1, len(codes)) if codes[at] != 4)
            (x_bar,) = torch.autograd.grad(phi, leaf)
            with torch.no_grad():
                _, y_dot = jvp(oracle.log_probabilities, (x,), (v,))
        gradient = x_bar[:, :4].numpy() * (codes != 4)[:, None]
        response = y_dot.norm(dim=1).numpy()
        found[strand] = (gradient, response) if strand == "forward" else (gradient[::-1, ::-1], response[::-1])
    return found


def relative(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


def scores(manifest, suffix):
    """Hypothetical scores (L, 4), and the response where it is written."""
    gradient = np.load(manifest.with_name(f"mt.hypothetical{suffix}.npz"))["arr_0"][0].T
    rows = manifest.with_name(f"mt.response{suffix}.bedgraph").read_text().splitlines()
    return gradient, np.array([float(row.split("\t")[3]) for row in rows])


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-9), ("float32", 1e-5)])
def test_each_strand_of_both_equals_autograd_of_transformers(dtype, bound, carry_out, oracle, expected):
    manifest = carry_out(strand="both", dtype=dtype, **RUN)
    for strand, (gradient, response) in expected.items():
        found_gradient, found_response = scores(manifest, f".{strand}")
        assert relative(found_gradient, gradient) <= bound
        assert relative(found_response, response[oracle.codes != 4]) <= bound
    # The readings differ, so neither can stand for the other.
    assert relative(expected["forward"][0], expected["reverse"][0]) > 0.1


def test_an_average_is_the_mean_of_autograd_of_transformers_on_both_strands(carry_out, oracle, expected):
    gradient, response = scores(carry_out(strand="average", dtype="float64", **RUN), "")
    assert relative(gradient, (expected["forward"][0] + expected["reverse"][0]) / 2) <= 1e-9
    mean = (expected["forward"][1] + expected["reverse"][1]) / 2
    assert relative(response, mean[oracle.codes != 4]) <= 1e-9

"""A record of real kinds of letters, and a model's derivatives along it by autograd of the whole sequence at once."""

import numpy as np
import pytest
import torch
from torch.func import jvp, vmap

from pgf_cli.core.one_hot import one_hot
from pgf_cli.sweeps import CodesRecord

LENGTH = 115
N_RUN = slice(51, 56)


class Autograd:
    """A model's outputs y (L, C) as one function of x (L, 5), differentiated by torch."""

    def __init__(self, model, codes):
        self.codes, self._model = codes, model
        self.x = one_hot(codes, torch.float64, torch.device("cpu"))

    def y(self, x):
        return self._model(x, self._model.initial_state(x[: self._model.lookahead]))[0]

    def along(self, *vs):
        """y_dot (L, C) along each v (L, 5)."""
        return vmap(lambda v: jvp(self.y, (self.x,), (v,))[1])(torch.stack(vs))

    def back(self, w):
        """x_bar (L, 5) of phi = <w, y> for fixed w (L, C): 0 at N, as every direction is."""
        x = self.x.clone().requires_grad_()
        (x_bar,) = torch.autograd.grad((w * self.y(x)).sum(), x)
        x_bar[torch.from_numpy(self.codes == 4)] = 0
        x_bar[:, 4] = 0
        return x_bar


@pytest.fixture
def codes():
    bases = np.random.default_rng(3).integers(0, 4, LENGTH, dtype=np.uint8)
    bases[N_RUN] = 4
    return bases


@pytest.fixture
def record(codes):
    return CodesRecord(codes, "chrT")


@pytest.fixture
def autograd():
    return Autograd

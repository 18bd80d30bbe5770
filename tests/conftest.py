"""Fixtures that every room's tests share: small models and short sequences, made anew from fixed seeds."""

import signal
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pgf_cli import interrupts
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM, OutputLayer
from pgf_cli.core.threads import available_threads, set_threads

BASE_IDS = BaseIds(3, 1, 2, 0, 5)
"""Not in the order A, C, G, T, so that a mix-up of ids shows."""


def pytest_configure() -> None:
    # What nohup or a script's & ignores is ignored by children, too: the tests of signals mean a terminal's.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True, scope="session")
def worker_threads() -> None:
    set_threads(available_threads())


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line's signal handlers, for the time of a test; every signal is a request of its own."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    interrupts.install()
    monkeypatch.setattr(interrupts, "SAME_REQUEST_SECONDS", 0.0)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    interrupts._state.__dict__.clear()


def random_mamba(output: OutputLayer = "logprobs", **sizes: int | bool) -> MambaLM:
    """A float64 Mamba whose every tensor is random, so that no term of a derivative is multiplied by 0 or 1."""
    defaults = {"d_model": 12, "n_layer": 3, "d_inner": 22, "d_state": 5, "d_conv": 4, "dt_rank": 3, "vocab_size": 8}
    config = MambaConfig(**(defaults | sizes))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(7)
    model = MambaLM(config, BASE_IDS, output).to(torch.float64).requires_grad_(False)
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.3)
        if "norm" in name:
            parameter.add_(1.0)
    return model


@pytest.fixture
def toy_mamba() -> MambaLM:
    return random_mamba()


@pytest.fixture
def make_mamba() -> Callable[..., MambaLM]:
    return random_mamba


@pytest.fixture
def dna() -> Callable[[int], NDArray[np.uint8]]:
    """Random base codes of a given length, with a run of N in the middle when there is room."""

    def sequence(length: int, n_run: int = 0) -> NDArray[np.uint8]:
        codes = np.random.default_rng(length).integers(0, 4, length, dtype=np.uint8)
        middle = length // 2
        codes[middle : middle + n_run] = 4
        return codes

    return sequence

"""Contestants with made-up derivatives: what is reported of a wrong one, a broken one and a missing one."""

import pytest
import torch

from pgf_cli.bench.framework.contestants import Contestant, measure, on_torch_threads
from pgf_cli.progress import SilentProgress


def derivative(length):
    return lambda: torch.arange(1.0, length + 1)[:, None]


OURS = Contestant("ours", derivative)


def measured(*contestants, length=300, seconds=None):
    return {each.name: each for each in measure([OURS, *contestants], length, 2, seconds, SilentProgress())}


def test_a_contestant_with_a_wrong_derivative_is_reported():
    right = Contestant("right", derivative, same_as="ours", rival=True)
    wrong = Contestant("wrong", lambda length: lambda: derivative(length)() * 1.01, same_as="ours", rival=True)
    found = measured(right, wrong)
    assert found["right"].error == 0
    assert found["wrong"].error == pytest.approx(0.01, rel=1e-4)
    assert found["ours"].error is None
    assert len(found["wrong"].runs) == 2


def test_a_shortened_contestant_is_compared_at_its_own_length_and_says_why(monkeypatch):
    from pgf_cli.bench.framework import affordable
    from pgf_cli.bench.framework.timing import Watched

    slow = Contestant("slow", derivative, same_as="ours", rival=True)
    monkeypatch.setattr(affordable, "watch", lambda work: Watched(9.0 if len(work()) == 256 else 0.0, 0))
    found = measured(slow, length=1024, seconds=10.0)
    assert (found["slow"].length, found["slow"].error) == (256, 0)
    assert found["slow"].note == "1,024 bases would take about 36 s"


def test_a_rival_that_breaks_or_is_missing_is_a_row():
    def broken(length):
        raise RuntimeError("no such\nkernel")

    def missing(length):
        raise ModuleNotFoundError("No module named 'peer'", name="peer")

    found = measured(Contestant("broken", broken, rival=True), Contestant("missing", missing, rival=True))
    assert found["broken"].runs == found["missing"].runs == ()
    assert found["broken"].note == "failed: RuntimeError: no such kernel"
    assert found["missing"].note == "not installed (peer): pip install 'pgf-sensitivity[bench]'"
    assert found["missing"].seconds_per_base != found["missing"].seconds_per_base


def test_our_own_failure_is_an_error():
    def broken(length):
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        measured(Contestant("broken", broken))


def test_torch_gets_its_threads_back_to_one_even_after_a_failure():
    seen = []

    def fail():
        seen.append(torch.get_num_threads())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        on_torch_threads(2, fail)()
    assert (seen, torch.get_num_threads()) == ([2], 1)

"""Sequences for the tests of commands."""

import numpy as np


def random_sequence(length: int, seed: int) -> str:
    """Letters of ACGT."""
    return "".join(np.array(list("ACGT"))[np.random.default_rng(seed).integers(0, 4, length)])

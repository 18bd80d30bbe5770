"""A genome of two records and settings of a model small enough to train within a test."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgf_cli.genome import Genome
from pgf_cli.progress import Progress
from pgf_cli.training import DataSettings, ModelSettings, OptimiserSettings, TrainSettings


class Silent:
    def message(self, text: str) -> None: ...

    def begin(self, total: int) -> None: ...

    def advance(self, bases: int, doing: str) -> None: ...

    def end(self) -> None: ...


@pytest.fixture
def silent() -> Progress:
    return Silent()


def write_fasta(path: Path, records: dict[str, str]) -> Path:
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    return path


@pytest.fixture
def make_genome(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Genome]]:
    opened = []

    def make(records: dict[str, str]) -> Genome:
        opened.append(Genome.open(write_fasta(tmp_path / f"genome{len(opened)}.fa", records)))
        return opened[-1]

    yield make
    for genome in opened:
        genome.close()


def periodic(length: int, seed: int) -> str:
    """DNA with something to learn: after GAT comes C nine times in ten."""
    generator = np.random.default_rng(seed)
    bases = ""
    while len(bases) < length:
        bases += "C" if bases.endswith("GAT") and generator.random() < 0.9 else "ACGT"[generator.integers(4)]
        bases += "GAT" if generator.random() < 0.1 else ""
    return bases[:length]


@pytest.fixture
def genome(make_genome) -> Genome:
    chr1 = periodic(600, 1)
    return make_genome({"chr1": f"{chr1[:200]}{'N' * 30}{chr1[230:300]}NN{chr1[302:]}", "chr2": periodic(150, 2)})


@pytest.fixture
def settings() -> TrainSettings:
    return TrainSettings(
        model=ModelSettings(channels=4, layers=2, inner=6, state=3, conv=3),
        data=DataSettings(sample_length=40, held_out=("chr2:101-150",)),
        optimiser=OptimiserSettings(steps=6, batch=2, learning_rate=0.01, warmup=2, save_every=3, seed=5),
    )


@pytest.fixture
def with_steps(settings) -> Callable[..., TrainSettings]:
    def change(**changes: object) -> TrainSettings:
        return replace(settings, optimiser=replace(settings.optimiser, **changes))

    return change

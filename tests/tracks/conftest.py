"""A small scored genome: ties, an N run longer than a tile, tiny and huge values, two records."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pgf_cli.tracks.request import OutputRequest, Span, TrackSpec
from pgf_cli.tracks.tile import ScoredTile, TrackWriter


@dataclass(frozen=True)
class ScoredGenome:
    """Two tracks over some records; `write` feeds a writer tile by tile."""

    dtype: type
    bases: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    values: dict[str, dict[str, NDArray[np.floating[Any]]]] = field(default_factory=dict)

    def add(self, contig: str, length: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.bases[contig] = rng.integers(0, 5, length, dtype=np.uint8)
        self.bases[contig][length // 3 : length // 3 + 90] = 4
        response = np.exp(rng.normal(-3, 6, length)).astype(self.dtype)
        response[::11] = 0
        response[5:200] = self.dtype(0.1)
        # Whatever stands at N is no score.
        response[self.bases[contig] == 4] = np.nan
        self.values[contig] = {"response": response, "ghost": -response}

    def tiles(self, size: int) -> Iterator[ScoredTile]:
        for contig, bases in self.bases.items():
            for start in range(0, len(bases), size):
                part = slice(start, start + size)
                values = {track: values[part] for track, values in self.values[contig].items()}
                yield ScoredTile(contig, start, bases[part], values)

    def write(self, writer: TrackWriter, size: int = 64) -> None:
        for tile in self.tiles(size):
            writer.write(tile)
        writer.close()

    @property
    def sizes(self) -> list[tuple[str, int]]:
        return [(contig, len(bases)) for contig, bases in self.bases.items()]

    def rows(self, track: str) -> list[tuple[str, int, int, float]]:
        """Contig, start, base code and value of every scored base, by a loop."""
        return [
            (contig, start, int(code), float(self.values[contig][track][start]))
            for contig, codes in self.bases.items()
            for start, code in enumerate(codes)
            if code < 4
        ]


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def genome(request: pytest.FixtureRequest) -> ScoredGenome:
    made = ScoredGenome(request.param)
    made.add("chrII", 1500, seed=1)
    made.add("chrI", 700, seed=2)
    return made


@pytest.fixture
def full_disk() -> Path:
    """A file that can be opened and never written."""
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    return device


@pytest.fixture
def make_request() -> Callable[..., OutputRequest]:
    """A request for one track of two records, `chr1` and `chr2`, both written whole; fields can be replaced."""

    def make(**fields: Any) -> OutputRequest:
        lengths = fields.pop("lengths", {"chr1": 60, "chr2": 40})
        spans = [Span(contig, 0, length) for contig, length in lengths.items()]
        tracks = (TrackSpec("response", None, "what it is; unit"),)
        given = {"name": "x", "tracks": tracks, "lengths": lengths, "spans": spans, "regions": spans}
        given |= {"dtype": np.dtype(np.float32), "bgzip": False, "track_line": False, "adjoint": True}
        return OutputRequest(**given | fields)

    return make

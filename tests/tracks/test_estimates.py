"""Estimates against the size of files that were really written."""

import numpy as np
import pytest

from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.outputs import open_formats
from pgf_cli.tracks.registry import format_names, output_format
from pgf_cli.tracks.request import Span, TrackSpec
from pgf_cli.tracks.tile import HYPOTHETICAL, ScoredTile

LENGTHS = {"chrI": 30_000, "a_much_longer_name": 100_010_000}
SPANS = [Span("chrI", 0, 30_000), Span("a_much_longer_name", 99_990_000, 100_010_000)]
REGIONS = [Span("a_much_longer_name", start, start + 5000) for start in (99_991_000, 99_990_000, 99_993_000)]


def written_bytes(made, request, folder, scale):
    """Size of all files of a format after random scores."""
    paths = {key: folder / f"x{suffix}" for key, suffix in made.files(request).items()}
    rng = np.random.default_rng(1)
    names = [*(track.name for track in request.tracks), *HYPOTHETICAL]
    writers = open_formats([made], request, paths)
    for span in request.spans:
        bases = rng.integers(0, 4, span.end - span.start, dtype=np.uint8)
        values = {name: (scale * rng.lognormal(size=len(bases))).astype(request.dtype) for name in names}
        for writer in writers:
            writer.write(ScoredTile(span.contig, span.start, bases, values))
    for writer in writers:
        writer.close()
    return sum(path.stat().st_size for path in paths.values())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", format_names())
def test_every_format_is_estimated_within_a_fifth(name, dtype, scale, make_request, tmp_path):
    # One track is about a single record: its file holds nothing of the other.
    tracks = (TrackSpec("a", None, ""), TrackSpec("b", None, ""), TrackSpec("c", "chrI", ""))
    request = make_request(lengths=LENGTHS, spans=SPANS, regions=REGIONS, tracks=tracks, dtype=np.dtype(dtype))
    made = output_format(name)
    if name == "csv":
        request = make_request(lengths=LENGTHS, spans=SPANS, tracks=tracks[:2], dtype=np.dtype(dtype))
    assert made.estimated_bytes(request) == pytest.approx(written_bytes(made, request, tmp_path, scale), rel=0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["bedgraph", "csv"])
def test_compressed_text_is_estimated_within_a_fifth(name, dtype, make_request, tmp_path):
    tracks = (TrackSpec("a", None, ""), TrackSpec("b", None, ""))
    request = make_request(lengths=LENGTHS, spans=SPANS, tracks=tracks, dtype=np.dtype(dtype), bgzip=True)
    made = output_format(name)
    assert made.estimated_bytes(request) == pytest.approx(written_bytes(made, request, tmp_path, 1.0), rel=0.2)


def test_positions_are_counted_to_the_character(make_request, tmp_path):
    # With a value of known width what is left is exact: "0.5" instead of the mean width.
    spans = [Span("c", 0, 1234), Span("c", 99_998, 100_003)]
    request = make_request(lengths={"c": 200_000}, spans=spans)
    made = output_format("bedgraph")
    (writer,) = made.open(request, {"bedgraph response": tmp_path / "t"})
    for span in spans:
        length = span.end - span.start
        writer.write(ScoredTile("c", span.start, np.zeros(length, dtype=np.uint8), {"response": np.full(length, 0.5)}))
    writer.close()
    assert made.estimated_bytes(request) - (1234 + 5) * (11 - 3) == (tmp_path / "t").stat().st_size


def test_twenty_thousand_records_and_tracks_are_estimated_at_once(make_request):
    # What grew with records times records took minutes here.
    lengths = {f"NW_{i:09}.1": 100 for i in range(20_000)}
    tracks = tuple(TrackSpec(f"response.{contig}", contig, "") for contig in lengths)
    request = make_request(lengths=lengths, tracks=tracks)
    one = make_request(lengths=lengths)
    assert output_format("bedgraph").estimated_bytes(request) == output_format("bedgraph").estimated_bytes(one)
    assert output_format("bigwig").estimated_bytes(request) == round(5.3 * 2_000_000)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (3.2e9, "3.2 GB"),
        (2e15, "2,000.0 TB"),
    ],
)
def test_sizes_read_well(count, text):
    assert readable_bytes(count) == text

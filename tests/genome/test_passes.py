"""Questions to a selection, against walking through every span."""

import time

import numpy as np
import pytest

from pgf_cli.genome import Region, select

LENGTHS = {"chr1": 500, "chr2": 90}


@pytest.fixture(params=range(6))
def regions(request):
    starts = np.random.default_rng(request.param).integers(1, 490, 12)
    return [f"chr1:{start}-{start + 7}" for start in starts]


@pytest.mark.parametrize("context", [None, 0, 25])
@pytest.mark.parametrize("strand", ["forward", "reverse"])
def test_every_position_is_found_as_by_walking(regions, context, strand):
    passes = select(LENGTHS, [*regions, "chr2"], context=context, strands=[strand]).by_reading["chr1", strand]
    for position in range(500):
        holding = [(one, span) for one in passes for span in one.spans if span.start <= position < span.end]
        assert [passes.pass_at(position)] == ([one for one, _ in holding] or [None])
        assert [passes.written_until(position)] == ([span.end for _, span in holding] or [None])
        assert passes.reads(position) == any(one.start <= position < one.end for one in passes)
    assert (passes.start, passes.end) == (passes.spans[0].start, passes.spans[-1].end)
    for one in passes:
        inside = [at for at in range(100, 141) if any(span.start <= at < span.end for span in one.spans)]
        assert [at for start, end in one.written(100, 141) for at in range(start, end)] == inside


def test_reading_goes_on_until_told():
    (one,) = select(LENGTHS, ["chr1:11-20"]).passes
    (further,) = select(LENGTHS, ["chr1:11-20"]).by_reading["chr1", "forward"]
    assert further == one
    assert one._replace(until=300).end == 300


def test_passes_and_spans_are_grouped_by_reading_in_the_fasta_s_order():
    selection = select(LENGTHS, ["chr2:5-6", "chr1:1-3", "chr2:81-90"], context=1, strands=["forward", "reverse"])
    assert [(*reading, len(passes)) for reading, passes in selection.by_reading.items()] == [
        ("chr1", "forward", 1),
        ("chr1", "reverse", 1),
        ("chr2", "forward", 2),
        ("chr2", "reverse", 2),
    ]
    assert selection.readings_of("chr2") == (("chr2", "forward"), ("chr2", "reverse"))
    assert selection.by_reading["chr2", "forward"].spans == (Region("chr2", 4, 6), Region("chr2", 80, 90))
    assert list(selection.spans_by_record.items()) == [
        ("chr1", (Region("chr1", 0, 3),)),
        ("chr2", (Region("chr2", 4, 6), Region("chr2", 80, 90))),
    ]
    assert selection.by_reading["chr2", "reverse"].spans == (Region("chr2", 0, 10), Region("chr2", 84, 86))


def test_twenty_thousand_regions_are_looked_up_by_bisection():
    lengths = {"chr1": 2_000_000}
    selection = select(lengths, [f"chr1:{at}-{at + 9}" for at in range(1, 2_000_000, 100)], context=5)
    passes = selection.by_reading["chr1", "forward"]
    began = time.perf_counter()
    for at in range(0, 2_000_000, 100):
        assert passes.written_until(at) == at + 10
        assert passes.pass_at(at + 50) is None
        assert passes.reads(at)
    # By walking, 6 x 10^8 steps: minutes.
    assert time.perf_counter() - began < 3

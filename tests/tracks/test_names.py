"""Names that other programs would not read as names."""

import pysam
import pytest

from pgf_cli.errors import UsageError
from pgf_cli.genome import read_bed
from pgf_cli.tracks.names import NamesMet, RecordNameError, reads_as_comment, reads_as_formula, shown
from pgf_cli.tracks.registry import format_names, output_format
from pgf_cli.tracks.request import Span, TrackSpec


@pytest.mark.parametrize("name", ["#first", "#", "track", "browser", "track_7", "browserling"])
def test_a_record_that_bed_readers_would_skip_is_refused_for_bedgraph_and_kept_elsewhere(name, make_request):
    request = make_request(lengths={"chr1": 50, name: 50})
    with pytest.raises(RecordNameError, match=rf"record {name} would be comments.*use another --format") as caught:
        output_format("bedgraph").check(request)
    assert "\n" not in str(caught.value)
    for other in ("csv", "bigwig", "npz"):
        output_format(other).check(request)


@pytest.mark.parametrize("name", ["chr1", "mytrack", "a#b", "Track", "NC_000001.11"])
def test_ordinary_names_pass_every_format(name, make_request):
    for each in format_names():
        output_format(each).check(make_request(lengths={name: 50}))
    assert not reads_as_comment(name)


def test_only_records_of_which_something_is_written_matter_to_text(make_request):
    spans = [Span("chr1", 0, 50)]
    request = make_request(lengths={"chr1": 50, "#x": 50, "=1+1": 9}, spans=spans, regions=spans)
    for each in ("bedgraph", "csv"):
        output_format(each).check(request)


@pytest.mark.parametrize("name", ["#first", "track", "browser"])
def test_our_own_reader_finds_in_a_bed_what_other_tools_skip(name, tmp_path):
    path = tmp_path / "a.bed"
    path.write_text(f"{name}\t0\t10\nchr1\t0\t10\n")
    assert [row.region.contig for row in read_bed(path, {name: 50, "chr1": 50})] == [name, "chr1"]
    if name.startswith("#"):
        index = pysam.tabix_index(str(path), preset="bed", force=True)
        with pysam.TabixFile(index) as file:
            assert file.contigs == ["chr1"]


@pytest.mark.parametrize("name", ["=cmd|'/c calc'!A0", "+1", "-35_box", "@SUM(1)"])
def test_a_name_that_a_spreadsheet_would_compute_is_refused_for_csv_alone(name, make_request):
    request = make_request(lengths={name: 50})
    with pytest.raises(RecordNameError, match=r"begins with [=+@-], and a spreadsheet .* formula: rename it"):
        output_format("csv").check(request)
    for other in ("bedgraph", "bigwig", "npz"):
        output_format(other).check(request)


@pytest.mark.parametrize("name", ["a\0b", "a\x1b[2Jb", "a\x85b", "a\u2028b", "a\x7f"])
@pytest.mark.parametrize("track_format", ["bedgraph", "csv", "bigwig"])
def test_control_characters_in_names_are_refused_and_shown_as_escapes(name, track_format, make_request):
    with pytest.raises(RecordNameError, match="control character") as caught:
        output_format(track_format).check(make_request(lengths={name: 50}))
    assert str(caught.value).isprintable()
    assert "\\x" in str(caught.value) or "\\u2028" in str(caught.value)


def test_text_is_shown_as_it_is_but_for_control_characters():
    assert shown("Ä b\u00a0c\\n") == "Ä b\u00a0c\\n"
    assert shown("a\tb\nc\r\x1b\0\x85\udcff") == r"a\tb\nc\r\x1b\x00\x85\udcff"


def test_a_csv_of_tracks_of_two_records_is_refused(make_request):
    tracks = (TrackSpec("response.chr1_5", "chr1", ""), TrackSpec("response.chr2_5", "chr2", ""))
    with pytest.raises(UsageError, match="CSV of one record only"):
        output_format("csv").check(make_request(tracks=tracks))
    output_format("csv").check(make_request(tracks=tracks[:1]))
    output_format("bedgraph").check(make_request(tracks=tracks))


@pytest.mark.parametrize("text", ["-", "+", "", "a=1", "chr1", "'=1"])
def test_what_a_spreadsheet_shows_as_it_is_is_no_formula(text):
    assert not reads_as_formula(text)


def test_three_names_are_kept_of_any_number_and_every_row_counted():
    met = NamesMet()
    for name in ["#b", "#a\x1b", "#b", *map(str, range(1000))]:
        met.add(name)
    assert met.rows == 1003
    assert str(met) == r"#b, #a\x1b, 0, ..."
    few = NamesMet()
    few.add("#b")
    few.add("#b")
    assert str(few) == "#b"

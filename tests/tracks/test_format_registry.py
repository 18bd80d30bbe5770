"""The registry of output formats, and a format of somebody else's that needs nothing but its own class and a line."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pgf_cli.errors import UsageError
from pgf_cli.settings import RunSettings
from pgf_cli.tracks import registry
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.outputs import OpenFilesError, check_formats, open_formats, output_files
from pgf_cli.tracks.registry import FormatEntry, format_names, output_format
from pgf_cli.tracks.request import TrackSpec
from pgf_cli.tracks.tile import ScoredTile, TrackWriter


class Toy(OutputFormat):
    """The sum of each track's scores."""

    def check(self, request):
        if not request.tracks:
            raise UsageError("--format toy needs a track")

    def files(self, request):
        return {self.name: ".toy"}

    def estimated_bytes(self, request):
        return 20 * len(request.tracks)

    def open(self, request, paths):
        return [ToyWriter(paths[self.name], [track.name for track in request.tracks])]


class ToyWriter(TrackWriter):
    def __init__(self, path, tracks):
        self.path, self.sums = path, dict.fromkeys(tracks, 0.0)

    def write(self, tile):
        for track in self.sums:
            self.sums[track] += float(tile.values[track][tile.scored].sum())

    def close(self):
        with translate_os_errors(self.path):
            self.path.write_text(str(self.sums))

    def discard(self):
        pass


def test_every_line_leads_to_a_format_that_bears_its_name_and_help():
    assert {"bedgraph", "csv", "bigwig", "npz"} <= set(format_names())
    for name in format_names():
        made = output_format(name)
        assert isinstance(made, OutputFormat)
        assert (made.name, made.help) == (name, registry.FORMATS[name].help)


def test_only_text_is_compressed_and_only_arrays_want_hypothetical_scores():
    ours = ("bedgraph", "csv", "bigwig", "npz")
    assert [name for name in ours if registry.FORMATS[name].text] == ["bedgraph", "csv"]
    assert [name for name in ours if registry.FORMATS[name].adjoint] == ["npz"]
    assert [name for name in ours if output_format(name).needs_hypothetical] == ["npz"]


def test_an_unknown_format_is_one_line_with_those_there_are():
    with pytest.raises(UsageError, match=f"--format none is no format; use {', '.join(format_names())}"):
        output_format("none")


def test_help_needs_no_heavy_library():
    code = (
        "import sys; from pgf_cli.tracks.registry import FORMATS, format_names; format_names(); "
        "heavy = {'numpy', 'polars', 'pandas', 'torch', 'figwig', 'pysam'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_files_stand_in_the_order_asked_for_tracks_first_then_their_indices(make_request):
    tracks = tuple(TrackSpec(name, None, "") for name in ("response", "ghost"))
    formats = [output_format(name) for name in ("npz", "bedgraph", "csv", "bigwig")]
    assert list(output_files(formats, make_request(tracks=tracks, bgzip=True)).values()) == [
        ".hypothetical.npz", ".onehot.npz", ".response.bedgraph.gz", ".ghost.bedgraph.gz", ".response.bedgraph.gz.tbi",
        ".ghost.bedgraph.gz.tbi", ".csv.gz", ".response.bw", ".ghost.bw",
    ]  # fmt: skip
    plain = output_files(formats[1:], make_request())
    assert list(plain.values()) == [".response.bedgraph", ".csv", ".response.bw"]
    longest = make_request(bgzip=True, lengths={"chr1": 2**29 + 1})
    assert ".response.bedgraph.gz.csi" in output_files(formats[1:], longest).values()


def test_two_tracks_that_would_share_a_file_are_refused(make_request):
    tracks = (TrackSpec("response.a_b_20", "a|b", ""), TrackSpec("response.a_b_20", "a_b", ""))
    with pytest.raises(UsageError, match=r"two tracks would be called response\.a_b_20 and share a file"):
        output_files([output_format("bedgraph")], make_request(tracks=tracks))


def test_settings_ask_the_registry_what_a_format_requires():
    given = {"fasta": Path("a.fa"), "model": Path("m")}
    with pytest.raises(UsageError, match=r"bgzip.* compresses text; add .*bedgraph.* or csv"):
        RunSettings(**given, formats=("bigwig",), bgzip=True)
    assert RunSettings(**given, formats=("bigwig", "csv"), bgzip=True).bgzip
    with pytest.raises(UsageError, match=r"npz.* holds scores of the adjoint"):
        RunSettings(**given, formats=("csv", "npz"), mode="tangent")
    with pytest.raises(UsageError, match="must be bedgraph, csv, bigwig"):
        RunSettings(**given, formats=("none",))


def test_what_one_format_has_against_a_request_is_found_before_the_run(make_request):
    formats = [output_format(name) for name in ("bigwig", "npz")]
    with pytest.raises(UsageError, match="npz needs regions of one length"):
        check_formats(formats, make_request())
    with pytest.raises(UsageError, match="share a file"):
        check_formats(formats[:1], make_request(tracks=(TrackSpec("a", "chr1", ""), TrackSpec("a", "chr2", ""))))


@pytest.mark.parametrize("bgzip", [False, True])
def test_the_files_that_writers_hold_open_are_counted_and_their_indices_not(bgzip, make_request, tmp_path, monkeypatch):
    tracks = tuple(TrackSpec(f"response.{at}", None, "") for at in range(20))
    request = make_request(tracks=tracks, bgzip=bgzip)
    formats = [output_format(name) for name in ("bedgraph", "bigwig", "csv")]
    paths = {key: tmp_path / f"x{suffix}" for key, suffix in output_files(formats, request).items()}
    asked = []
    monkeypatch.setattr("pgf_cli.tracks.outputs.check_open_files", asked.append)
    check_formats(formats, request)
    # Libraries open files of their own when they are first used.
    for writer in open_formats(formats, request, paths):
        writer.discard()
    before = len(list(Path("/dev/fd").iterdir()))
    writers = open_formats(formats, request, paths)
    held = len(list(Path("/dev/fd").iterdir())) - before
    for writer in writers:
        writer.close()
    assert asked == [held] == [41]


def test_more_tracks_than_files_may_be_open_are_refused_before_the_run(make_request, monkeypatch):
    tracks = tuple(TrackSpec(f"response.{at}", None, "") for at in range(10_000))
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    with pytest.raises(OpenFilesError, match=r"holds 20,000 output files open.*limit is 4,096: raise it \(ulimit -n\)"):
        check_formats([output_format(name) for name in ("bedgraph", "bigwig")], make_request(tracks=tracks))


def test_a_format_is_a_class_and_a_line(make_request, tmp_path, monkeypatch):
    monkeypatch.setitem(registry.FORMATS, "toy", FormatEntry(f"{__name__}:Toy", "sums"))
    formats = [output_format(name) for name in ("csv", "toy")]
    request = make_request()
    paths = {key: tmp_path / f"x{suffix}" for key, suffix in output_files(formats, request).items()}
    for each in formats:
        each.check(request)
    for writer in open_formats(formats, request, paths):
        writer.write(
            ScoredTile("chr1", 0, np.array([0, 4, 2], dtype=np.uint8), {"response": np.array([1.0, 9.0, 2.5])})
        )
        writer.close()
        assert writer.warnings() == []
    assert (tmp_path / "x.toy").read_text() == "{'response': 3.5}"
    assert (tmp_path / "x.csv").read_text().splitlines()[1:] == ["chr1,0,1,A,1.0", "chr1,2,3,G,2.5"]


def test_where_a_file_cannot_be_created_those_before_it_are_let_go(make_request, tmp_path, monkeypatch):
    let_go = []
    monkeypatch.setattr(ToyWriter, "discard", lambda writer: let_go.append(writer.path.name))
    monkeypatch.setitem(registry.FORMATS, "toy", FormatEntry(f"{__name__}:Toy", "sums"))
    paths = {"toy": tmp_path / "x.toy", "bedgraph response": tmp_path / "missing" / "x"}
    open_both = partial(open_formats, [output_format("toy"), output_format("bedgraph")], make_request(), paths)
    with pytest.raises(OSError, match="cannot write"):
        open_both()
    assert let_go == ["x.toy"]

"""``--bgzip`` changes how text is stored and nothing of what it says."""

import gzip
import json
import sys

import pysam
import pytest

from pgf_cli.errors import UsageError
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.tabix import MissingPysamError

FORMATS = ("bedgraph", "csv", "bigwig")


def test_a_compressed_run_holds_the_bytes_of_a_plain_one(carry_out, tmp_path):
    carry_out(output=f"{tmp_path}/plain", formats=FORMATS)
    manifest = json.loads(carry_out(output=f"{tmp_path}/small", formats=FORMATS, bgzip=True).read_text())
    names = {entry["path"] for entry in manifest["outputs"]}
    texts = ("response.bedgraph", "ghost.bedgraph", "csv")
    assert {f"small.{name}.gz" for name in texts} < names
    assert not {f"small.{name}" for name in texts} & names
    for name in texts:
        plain = (tmp_path / f"plain.{name}").read_bytes()
        assert gzip.decompress((tmp_path / f"small.{name}.gz").read_bytes()) == plain
    assert (tmp_path / "small.ghost.bw").read_bytes() == (tmp_path / "plain.ghost.bw").read_bytes()


def test_each_bedgraph_has_an_index_where_readers_look_for_it(carry_out, tmp_path):
    manifest = carry_out(formats=FORMATS, bgzip=True)
    names = {entry["path"] for entry in json.loads(manifest.read_text())["outputs"]}
    assert {name for name in names if name.endswith((".tbi", ".csi"))} == {
        "mt.response.bedgraph.gz.tbi",
        "mt.ghost.bedgraph.gz.tbi",
    }
    with pysam.TabixFile(f"{tmp_path}/mt.response.bedgraph.gz") as track:
        assert [line.split("\t")[:3] for line in track.fetch("MT", 40, 42)] == [["MT", "40", "41"], ["MT", "41", "42"]]


def test_what_cannot_be_done_is_refused_before_computing(carry_out, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"bgzip.* compresses text; add .*bedgraph.* or csv"):
        RunSettings(fasta=tmp_path, model=tmp_path, formats=("bigwig",), bgzip=True)
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(MissingPysamError):
        carry_out(bgzip=True)
    assert not list(tmp_path.iterdir())

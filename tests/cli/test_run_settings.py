"""Where settings come from: command line over environment over --config over defaults."""

import json
from pathlib import Path

import pytest

from pgf_cli.settings import RunSettings, fasta_stem


def sources(prefix):
    settings = json.loads(Path(f"{prefix}.run.json").read_text())["settings"]
    return {name: (entry["value"], entry["source"]) for name, entry in settings.items()}


def test_command_line_beats_environment_beats_config_beats_default(run, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('tile = 11\nhits = 12\nhit-distance = 13\nformat = ["csv"]\n')
    run("-o", "x", "--config", config, "--tile", "21", PGF_HITS="31", PGF_TILE="41")
    found = sources("x")
    assert found["tile"] == (21, "command line")
    assert found["hits"] == (31, "environment")
    assert found["hit_distance"] == (13, "configuration file")
    assert found["formats"] == (["csv"], "configuration file")
    assert found["track_line"] == (False, "default")


def test_an_unknown_key_in_the_config_is_an_error_with_the_nearest_name(pgf, genome, checkpoint, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("hit_distanse = 13\n")
    result = pgf("run", genome, "-m", checkpoint, "--config", config)
    assert result.exit_code == 2
    assert "'hit_distanse' is no option; did you mean hit-distance" in result.stderr


@pytest.mark.parametrize("text", ["tile = = 3", "\x00"])
def test_a_config_that_is_no_toml_is_an_error(pgf, genome, checkpoint, tmp_path, text):
    config = tmp_path / "run.toml"
    config.write_text(text)
    result = pgf("run", genome, "-m", checkpoint, "--config", config)
    assert result.exit_code == 2
    assert "is not TOML" in result.stderr


def test_every_committed_config_is_accepted(pgf, genome, checkpoint):
    folder = Path(__file__).parents[2] / "configs"
    configs = sorted(set(folder.glob("*.toml")) - set(folder.glob("train-*.toml")))
    assert configs
    for config in configs:
        result = pgf("run", genome, "-m", checkpoint, "--config", config, "--dry-run")
        assert result.exit_code == 0, result.output


def test_output_prefix(tmp_path):
    def prefix(output, fasta="data/chr1.fa.gz"):
        return str(RunSettings(fasta=Path(fasta), model=Path("m"), output=output).prefix)

    assert prefix(None) == "chr1"
    assert prefix("out/") == "out/chr1"
    assert prefix(str(tmp_path)) == str(tmp_path / "chr1")
    assert prefix("out/mine") == "out/mine"
    assert [fasta_stem(Path(name)) for name in ("a.fna", "a.b.fasta.bgz", "a", "x.fa.fa")] == ["a", "a.b", "a", "x.fa"]

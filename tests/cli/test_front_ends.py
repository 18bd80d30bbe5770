"""Command line, environment, TOML, Python, manifest and docs know the same options, defaults and bounds."""

import re
from pathlib import Path

import pytest

from pgf_cli.cli.options import CommandOptions
from pgf_cli.cli.reference import reference
from pgf_cli.errors import UsageError
from pgf_cli.options import definitions_of
from pgf_cli.runs.provenance import plain_settings
from pgf_cli.settings import RunSettings

DOCS = Path(__file__).parents[2] / "docs" / "options.md"

# Of each setting: the flag, what follows it, and what the setting is then.
GIVEN = {
    "fasta": (None, "g.fa", Path("g.fa")),
    "model": ("--model", "other.pt", Path("other.pt")),
    "output": ("--output", "a/b", "a/b"),
    "formats": ("--format", ["csv", "npz"], ("csv", "npz")),
    "regions": ("--region", ["chr1:1-10", "chr2:5-9"], ("chr1:1-10", "chr2:5-9")),
    "bed": ("--regions", "r.bed", Path("r.bed")),
    "mode": ("--mode", "adjoint", "adjoint"),
    "pulses": ("--pulse", ["chr1:5", "chr1:7:T"], ("chr1:5", "chr1:7:T")),
    "threads": ("--threads", 3, 3),
    "resume": ("--resume", None, True),
    "force": ("--force", None, True),
    "alphabet": ("--alphabet", "A=1,C=2,G=3,T=4", "A=1,C=2,G=3,T=4"),
    "model_family": ("--model-family", "package.module:Class", "package.module:Class"),
    "chroms": ("--chrom", ["chr1", "chr2"], ("chr1", "chr2")),
    "context": ("--context", 0, 0),
    "strand": ("--strand", "reverse", "reverse"),
    "window": ("--window", 500, 500),
    "overlap": ("--overlap", 20, 20),
    "direction": ("--direction", "random:7", "random:7"),
    "pulses_bed": ("--pulses", "p.bed", Path("p.bed")),
    "separate": ("--separate", None, True),
    "ghost_distance": ("--ghost-distance", 0, 0),
    "objective": ("--objective", "logit:A", "logit:A"),
    "targets": ("--target", ["chr1:1-9"], ("chr1:1-9",)),
    "mask_targets": ("--mask-targets", None, True),
    "adjoint_tracks": ("--track", ["norm", "max-snv"], ("norm", "max-snv")),
    "gradient_correction": ("--no-gradient-correction", None, False),
    "output_layer": ("--output-layer", "hidden", "hidden"),
    "hits": ("--hits", 5, 5),
    "hit_distance": ("--hit-distance", 99, 99),
    "trace": ("--trace", 4, 4),
    "null": ("--null", "shuffle", "shuffle"),
    "seed": ("--seed", 11, 11),
    "probe_depth": ("--probe-depth", 100, 100),
    "bgzip": ("--bgzip", None, True),
    "track_line": ("--track-line", None, True),
    "device": ("--device", "cuda:1", "cuda:1"),
    "dtype": ("--dtype", "bfloat16", "bfloat16"),
    "tile": ("--tile", 64, 64),
    "segment": ("--segment", 1000, 1000),
    "snapshot_budget": ("--snapshot-budget", 1, 1),
    "snapshots_on_disk": ("--snapshots-on-disk", None, True),
    "feature_budget": ("--feature-budget", 7, 7),
}
# What a setting cannot be without.
BESIDE = {
    "separate": {"pulses": ["chr1:5"]},
    "overlap": {"window": 10**10},
    "mask_targets": {"targets": ["chr1:1-9"]},
}
OPTIONS = definitions_of(RunSettings)
ELSEWHERE = [name for name in GIVEN if name != "fasta"]
NUMBERS = [(name, at) for name, each in OPTIONS.items() if each.kind is int for at in ("lowest", "highest")]


@pytest.fixture
def settings_of(pgf, monkeypatch, tmp_path):
    """Call ``run`` with what its settings would be carried out with; return them, and where each came from."""
    seen = []
    monkeypatch.setattr(
        "pgf_cli.cli.run.execute", lambda settings, sources, *, quiet: seen.append((settings, sources)) or tmp_path
    )
    monkeypatch.setattr("pgf_cli.cli.run.certificate_passed", lambda manifest: True)

    def call(*arguments, toml="", **environment):
        if toml:
            (tmp_path / "run.toml").write_text(toml)
            arguments += ("--config", tmp_path / "run.toml")
        result = pgf("run", "g.fa", "-q", *arguments, **environment)
        assert result.exit_code == 0, result.output
        return seen.pop()

    return call


@pytest.fixture
def refusal(pgf, tmp_path):
    def call(*arguments, toml="", **environment):
        if toml:
            (tmp_path / "run.toml").write_text(toml)
            arguments += ("--config", tmp_path / "run.toml")
        result = pgf("run", "g.fa", "-m", "m", *arguments, **environment)
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        return line

    return call


def on_the_command_line(name, value):
    flag = GIVEN[name][0]
    if value is None or value is True:
        return [flag]
    return [word for each in (value if isinstance(value, list) else [value]) for word in (flag, each)]


def in_the_environment(name, value):
    text = "1" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return {"PGF_" + GIVEN[name][0].removeprefix("--").replace("-", "_").upper(): text}


def in_toml(name, value):
    text = "true" if value is None else str(value) if isinstance(value, int) else repr(value)
    return f"{GIVEN[name][0].removeprefix('--')} = {text}\n"


def test_the_table_above_has_every_setting():
    assert list(GIVEN) == list(OPTIONS)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_setting_is_the_same_from_everywhere(settings_of, name):
    _, given, value = GIVEN[name]
    beside = {"model": ["m"], **BESIDE.get(name, {})}
    beside.pop(name, None)
    fixed = [word for other, values in beside.items() for word in on_the_command_line(other, values)]
    python = RunSettings(fasta="g.fa", **{name: value}, **{k: v[0] if k == "model" else v for k, v in beside.items()})
    assert getattr(python, name) == value
    for arguments, toml, environment, source in (
        (on_the_command_line(name, given), "", {}, "command line"),
        ([], "", in_the_environment(name, given), "environment"),
        ([], in_toml(name, given), {}, "configuration file"),
    ):
        settings, sources = settings_of(*fixed, *arguments, toml=toml, **environment)
        assert settings == python
        assert sources[name] == source


def test_defaults_are_the_same_everywhere(settings_of):
    settings, sources = settings_of("-m", "m")
    assert settings == RunSettings(fasta="g.fa", model="m")
    assert {name for name in OPTIONS if sources[name] != "default"} == {"fasta", "model"}
    for name, definition in OPTIONS.items():
        if not definition.required:
            assert getattr(settings, name) == definition.default


def test_a_manifest_has_every_setting_by_its_name_in_python():
    found = plain_settings(RunSettings(fasta="g.fa", model="m", regions=["chr1:1-9"]))
    assert list(found) == list(OPTIONS)
    assert (found["model"], found["regions"], found["tile"]) == ("m", ["chr1:1-9"], None)
    again = RunSettings(**found)
    assert again == RunSettings(fasta="g.fa", model="m", regions=["chr1:1-9"])


@pytest.mark.parametrize(("name", "at"), NUMBERS)
def test_bounds_are_the_same_everywhere(refusal, name, at):
    definition = OPTIONS[name]
    bound = getattr(definition.option, at)
    assert bound is not None
    outside = bound + (1 if at == "highest" else -1)
    said = f"is {outside}; it must be a whole number from {definition.option.lowest:,} to {definition.option.highest:,}"
    assert f"error: {definition.flag} {said}" == refusal(definition.flag, outside)
    assert f"error: {definition.variable} {said}" == refusal(**in_the_environment(name, outside))
    assert refusal(toml=in_toml(name, outside)).endswith(f"run.toml: {definition.key} {said}")
    with pytest.raises(UsageError, match=rf"^{name} {re.escape(said)}$"):
        RunSettings(fasta="g.fa", model="m", **{name: outside})
    beside = BESIDE.get(name, {})
    assert getattr(RunSettings(fasta="g.fa", model="m", **{name: bound}, **beside), name) == bound
    assert definition.expected in row_of(name)


@pytest.mark.parametrize("name", [name for name, each in OPTIONS.items() if each.choices])
def test_choices_are_the_same_everywhere(refusal, name):
    definition = OPTIONS[name]
    said = f"is 'neither'; it must be {definition.expected}"
    assert refusal(definition.flag, "neither") == f"error: {definition.flag} {said}"
    assert refusal(**{definition.variable: "neither"}) == f"error: {definition.variable} {said}"
    assert refusal(toml=f"{definition.key} = 'neither'").endswith(f"run.toml: {definition.key} {said}")
    with pytest.raises(UsageError, match=rf"^{name} {said}$"):
        RunSettings(fasta="g.fa", model="m", **{name: "neither"})
    assert definition.expected in row_of(name)


def run_options():
    return DOCS.read_text().split("\n## Keys of the TOML of `train`")[0]


def row_of(name):
    argument = f"`{name}=False`" if name == "gradient_correction" else f"`{name}`"
    (row,) = [line for line in run_options().splitlines() if f"| {argument} |" in line]
    return row


@pytest.mark.parametrize("name", GIVEN)
def test_the_docs_have_every_setting_with_its_default(name):
    row, definition = row_of(name), OPTIONS[name]
    assert f"{GIVEN[name][0] or 'FASTA'}`" in row
    if isinstance(definition.default, int) and not isinstance(definition.default, bool):
        assert f"Default: {definition.default:,}." in row


def test_the_docs_are_written_from_the_definitions():
    assert DOCS.read_text() == reference(), "renew it: python -m pgf_cli.cli.reference > docs/options.md"
    assert all(f"{each.flag}`" in DOCS.read_text() for each in definitions_of(CommandOptions).values())


def test_a_switch_can_be_switched_back_by_what_beats_it(settings_of):
    settings, _ = settings_of("-m", "m", toml="bgzip = true\nno-gradient-correction = true", PGF_BGZIP="no")
    assert (settings.bgzip, settings.gradient_correction) == (False, False)


def test_what_is_missing_is_said_with_where_it_can_stand(pgf):
    result = pgf("run", "g.fa")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: --model is missing; give it, or set PGF_MODEL in the environment\n",
    )

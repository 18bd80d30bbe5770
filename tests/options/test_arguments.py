"""Messages are written once, of flags; a caller in Python reads of arguments."""

import pytest

from pgf_cli.api.arguments import speaking_of_arguments
from pgf_cli.errors import PgfError, UsageError
from pgf_cli.interrupts import Interrupted
from pgf_cli.settings import RunSettings, SettingsError, in_arguments


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        ("--ghost-distance 3 is less than 5", "ghost_distance=3 is less than 5"),
        ("--ghost-distance is -1", "ghost_distance is -1"),
        ("use --ghost-distance 1,000, or 0", "use ghost_distance=1000, or 0"),
        ("add --format csv, or leave it out", 'add formats=["csv"], or leave it out'),
        ("(--format bigwig)", '(formats=["bigwig"])'),
        ("add --mode adjoint or --mode both", 'add mode="adjoint" or mode="both"'),
        ("replace it with --force.", "replace it with force=True."),
        ("with --no-gradient-correction the mean stays", "with gradient_correction=False the mean stays"),
        ("give --pulse CHROM:POS or --pulses BED", "give pulses or pulses_bed"),
        ("try --dtype float64.", 'try dtype="float64".'),
        ("choose a smaller --tile, or", "choose a smaller tile, or"),
        ("--region chr1:5-10 lies", 'regions=["chr1:5-10"] lies'),
        ("--objective logit:A names", 'objective="logit:A" names'),
        ("name another with --output.", "name another with output."),
        ("see pgf-sensitivity run --help, a--b and ---", "see pgf-sensitivity run --help, a--b and ---"),
    ],
)
def test_flags_become_arguments(flags, arguments):
    assert in_arguments(flags) == arguments
    assert in_arguments(arguments) == arguments


def test_settings_that_contradict_each_other_speak_of_arguments_and_know_the_flags():
    with pytest.raises(SettingsError) as caught:
        RunSettings(fasta="g.fa", model="m", mode="tangent", targets="chr1:1-10")
    assert str(caught.value) == 'objective and targets are the adjoint\'s; add mode="adjoint" or mode="both"'
    assert caught.value.in_flags == "--objective and --target are the adjoint's; add --mode adjoint or --mode both"


class FolderError(PgfError, OSError):
    """As errors about files are: a builtin's, too."""


@pytest.mark.parametrize("kind", [UsageError, FolderError])
def test_errors_from_below_are_rewritten_in_a_block_and_keep_their_kind(kind):
    with pytest.raises(kind) as caught, speaking_of_arguments():
        raise kind("it exists; replace it with --force, or name another with --output")
    assert str(caught.value) == "it exists; replace it with force=True, or name another with output"


def test_advice_is_rewritten_too_and_other_errors_are_left_alone():
    with pytest.raises(Interrupted) as caught, speaking_of_arguments():
        raise Interrupted(2, "give the same command with --resume")
    assert caught.value.advice == "give the same command with resume=True"
    with pytest.raises(KeyError, match="--force"), speaking_of_arguments():
        raise KeyError("--force")

from pathlib import Path

import pytest

from pgf_cli.core.models import MambaConfig
from pgf_cli.errors import UsageError
from pgf_cli.training import ModelSettings, OptimiserSettings, TrainConfigError, read_settings

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("train-*.toml"))

TOML = """
[model]
channels = 20
layers = 3
[data]
held-out = ["chr1:1-100"]
sample-length = 64
reverse-complements = false
[optimiser]
steps = 10
learning-rate = 1
"""


def read(tmp_path, text):
    path = tmp_path / "train.toml"
    path.write_text(text)
    return read_settings(path)


def test_values_land_in_their_fields_and_sizes_left_out_follow_from_the_channels(tmp_path):
    settings = read(tmp_path, TOML)
    expected = MambaConfig(d_model=20, n_layer=3, d_inner=40, d_state=16, d_conv=4, dt_rank=2, vocab_size=5)
    assert settings.model.config() == expected
    assert settings.data.held_out == ("chr1:1-100",)
    assert (settings.data.sample_length, settings.data.reverse_complements) == (64, False)
    assert (settings.optimiser.steps, settings.optimiser.learning_rate, settings.optimiser.batch) == (10, 1.0, 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "sample-length = 64",
            "sample-lenght = 64",
            "[data]: 'sample-lenght' is unknown; did you mean sample-length?",
        ),
        ("[optimiser]", "[optimizer]", "'optimizer' is unknown; did you mean optimiser?"),
        ("layers = 3", "", "[model] has no layers; add it"),
        ("layers = 3", "layers = 0", "[model]: layers is 0; it must be a whole number from 1 to 1,024"),
        ("layers = 3", 'layers = "3"', "[model]: layers is '3'; it must be a whole number"),
        ("layers = 3", "layers = true", "[model]: layers is true; it must be a whole number"),
        (
            "learning-rate = 1",
            "learning-rate = inf",
            "[optimiser]: learning-rate is inf; it must be a number from 1e-12",
        ),
        ("learning-rate = 1", 'learning-rate = 1\nname = "sgd"', "name is 'sgd'; it must be adam or adamw"),
        ('held-out = ["chr1:1-100"]', "held-out = [3]", "held-out is 3; it must be a text"),
        ("steps = 10", "steps = 1979-05-27", "[optimiser]: steps is 1979-05-27; it must be a whole number"),
        ("[model]", "model = 3\n[modell]", "'modell' is unknown; did you mean model?"),
        ("channels = 20", "channels = ", "is not TOML"),
        ("steps = 10", f"steps = {'9' * 5000}", "is not TOML"),
        ("steps = 10", f"steps = {'9' * 4000}", "steps is a number of more than 60 digits; it must be a whole number"),
        ("steps = 10", "steps = {}", "steps is a table; it must be a whole number"),
    ],
)
def test_what_is_wrong_is_said_with_section_key_and_value(tmp_path, old, new, said):
    assert old in TOML
    with pytest.raises(TrainConfigError, match=r"^(cannot read )?--config ") as caught:
        read(tmp_path, TOML.replace(old, new))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_section_is_named(tmp_path):
    with pytest.raises(TrainConfigError, match=r"cannot read --config .*none.toml: No such file"):
        read_settings(tmp_path / "none.toml")
    with pytest.raises(TrainConfigError, match=r"\[data\] is missing; sections are \[model\], \[data\], \[optimiser\]"):
        read(
            tmp_path, TOML.replace("[data]", "").replace("held-out", "#").replace("sample", "#").replace("reverse", "#")
        )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_examples_can_be_read(path):
    read_settings(path)


def test_there_are_examples():
    assert [path.name for path in CONFIGS] == ["train-arabidopsis.toml", "train-quick.toml"]


def test_a_section_made_in_python_is_checked_by_the_same_definition():
    with pytest.raises(UsageError, match=r"^layers is 0; it must be a whole number from 1 to 1,024$"):
        ModelSettings(channels=4, layers=0)
    settings = OptimiserSettings(steps=3, learning_rate=1)
    assert (settings.learning_rate, type(settings.learning_rate)) == (1.0, float)

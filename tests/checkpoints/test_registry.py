"""A family is what its entry says: a toy one, unknown to every other file, is saved, read, built and inspected."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from pgf_cli.checkpoints import (
    MissingTensorError,
    UnsupportedArchitectureError,
    inspect_checkpoint,
    read_checkpoint,
    registry,
    save_checkpoint,
)
from pgf_cli.checkpoints.alphabets import Alphabet
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.layout import Layout, Reading
from pgf_cli.checkpoints.sizes import Axis, extents
from pgf_cli.core.models import BaseIds, FrechetConfig
from pgf_cli.core.models.protocol import StreamingModel

AXES = {"d_model": Axis("rows.weight", 2, 1), "vocab_size": Axis("rows.weight", 2, 0)}
BASE_IDS = BaseIds(1, 2, 3, 4, None)


@dataclass(frozen=True)
class SumConfig:
    d_model: int
    vocab_size: int
    gain: float = 1.0


class Sum(StreamingModel):
    """The running sum of the bases' rows."""

    lookahead = 2

    def __init__(self, config, base_ids, output):
        super().__init__()
        self.config, self.base_ids, self.output = config, base_ids, output
        self.rows = nn.Embedding(config.vocab_size, config.d_model)

    def initial_state(self, first):
        return first.sum() + first.new_zeros(self.config.d_model)

    def forward(self, x, state):
        y = state + torch.cumsum(x[:, :4] @ self.rows.weight[list(self.base_ids[:4])], dim=0)
        return self.config.gain * y, y[-1]


TOY = Family(
    name="sum",
    config=SumConfig,
    make=Sum,
    sizes=lambda tensors, where: extents(tensors, AXES, where),
    axes=AXES,
    required=("vocab_size",),
    vocabulary=lambda config: config.vocab_size,
)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, TOY))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_our_own_format_holds_any_family(toy, tmp_path, suffix):
    path, config = tmp_path / f"model{suffix}", SumConfig(3, 6, gain=2.0)
    weight = torch.randn(6, 3)
    save_checkpoint(path, config, {"rows.weight": weight}, BASE_IDS)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.architecture, checkpoint.config, checkpoint.base_ids) == ("sum", config, BASE_IDS)
    assert (checkpoint.head, checkpoint.output_layers) == ("none", ("hidden",))
    model = checkpoint.build(None, torch.float64, torch.device("cpu"))
    x = torch.eye(5, dtype=torch.float64)[:4]
    expected = 2 * (2 + weight.double()[1:5].cumsum(0))
    torch.testing.assert_close(model(x, model.initial_state(x[:2]))[0], expected)
    save_checkpoint(path, config, {"rows.bias": torch.ones(3)}, BASE_IDS)
    with pytest.raises(MissingTensorError, match=r"has no tensor rows\.weight"):
        read_checkpoint(path)


def test_inspect_asks_the_model_itself(toy, tmp_path):
    save_checkpoint(tmp_path / "model.pt", SumConfig(3, 6), {"rows.weight": torch.randn(6, 3)}, BASE_IDS)
    found = inspect_checkpoint(tmp_path / "model.pt", None, 64, "float32")
    assert (found.architecture, found.sizes) == ("sum", {"d_model": 3, "vocab_size": 6, "gain": 1.0})
    assert found.state_bytes.primal == 12
    assert found.memory_bytes.adjoint.working > 64 * 3 * 4


def test_a_layout_of_a_family_is_asked_what_it_recognises(tmp_path, monkeypatch):
    def recognises(source):
        return "rows" in source.tensors

    def read(source, option):
        tensors = {"rows.weight": source.tensors["rows"]}
        sizes = extents(tensors, AXES, source.path)
        return Reading(SumConfig(**sizes), tensors, Alphabet(BASE_IDS, "the test"))

    layout = Layout(name="rows alone", supports="files of rows", recognises=recognises, read=read)
    family = Family(**{**vars(TOY), "layouts": (layout,)})
    for module in ("registry", "reader"):
        monkeypatch.setattr(f"pgf_cli.checkpoints.{module}.FAMILIES", (*registry.FAMILIES, family))
    torch.save({"rows": torch.randn(6, 3)}, tmp_path / "rows.bin")
    checkpoint = read_checkpoint(tmp_path / "rows.bin")
    assert (checkpoint.layout, checkpoint.architecture) == ("rows alone", "sum")
    assert checkpoint.config == SumConfig(3, 6)


def test_a_family_that_is_not_registered_is_unknown(tmp_path):
    with pytest.raises(TypeError, match="SumConfig is the config of no family"):
        registry.family_of(SumConfig(3, 6))
    names = [family.name for family in registry.FAMILIES]
    assert len(set(names)) == len(names)


def test_a_checkpoint_of_another_family_than_needed_is_refused(toy, tmp_path):
    save_checkpoint(tmp_path / "model.pt", SumConfig(3, 6), {"rows.weight": torch.randn(6, 3)}, BASE_IDS)
    with pytest.raises(UnsupportedArchitectureError, match="holds a sum model, where one with a FrechetConfig"):
        read_checkpoint(tmp_path / "model.pt").config_as(FrechetConfig)

"""Whatever layout a file is in: a tensor that is missing, misshapen or extra is named, and nothing but tensors is read.

A layout that is not among FILES fails the first test: whoever adds one adds how its files look.
"""

import json
import os
from dataclasses import asdict

import pytest
import torch
from hub_files import make_hub_model, write_tokenizer

from pgf_cli.checkpoints import CheckpointError, TensorError, UnsafeCheckpointError, read_checkpoint
from pgf_cli.checkpoints.registry import FAMILIES
from pgf_cli.core.models import BaseIds, FrechetConfig, FrechetModel, MambaConfig, MambaLM
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM

MAMBA = MambaConfig(d_model=6, n_layer=2, d_inner=10, d_state=3, d_conv=4, dt_rank=2, vocab_size=5, head=False)
ALPHABET = "A=0,C=1,G=2,T=3"


def frechet(folder):
    config = FrechetConfig(d_model=4, d_state=3, window=2, embedded=False, projection_bias=True)
    return folder / "model.bin", FrechetModel(config).state_dict()


def bare_mamba(folder):
    return folder / "model.bin", MambaLM(MAMBA, BaseIds(0, 1, 2, 3, 4), "hidden").state_dict()


def hugging_face(folder):
    model = make_hub_model(num_hidden_layers=2)
    model.config.architectures = ["MambaForCausalLM"]
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    write_tokenizer(folder)
    return folder / "pytorch_model.bin", {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}


def mamba_ssm(folder):
    model = make_hub_model(num_hidden_layers=2)
    settings = {"d_model": 8, "n_layer": 2, "vocab_size": 11, "pad_vocab_size_multiple": 1, "ssm_cfg": {"dt_rank": 2}}
    (folder / "config.json").write_text(json.dumps(settings))
    tensors = {name.replace("embeddings", "embedding"): tensor for name, tensor in model.state_dict().items()}
    return folder / "pytorch_model.bin", {k: v for k, v in tensors.items() if k != "lm_head.weight"}


def caduceus(folder):
    config = CaduceusConfig(**asdict(MAMBA) | {"vocab_size": 8, "head": True})
    tensors = CaduceusLM(config, BaseIds(0, 1, 2, 3, None), "hidden").state_dict()
    settings = {"model_type": "caduceus", "architectures": ["CaduceusForMaskedLM"], "n_layer": 2}
    (folder / "config.json").write_text(json.dumps(settings))
    names = {name: name.replace("embedding.", "embeddings.word_embeddings.") for name in tensors}
    shared = ("mamba_rev.in_proj.weight", "mamba_rev.out_proj.weight")
    return folder / "pytorch_model.bin", {
        f"caduceus.backbone.{names[name]}": tensor for name, tensor in tensors.items() if not name.endswith(shared)
    }


FILES = {
    "Hugging Face, Caduceus": caduceus,
    "the paper's state dict": frechet,
    "bare tensors": bare_mamba,
    "Hugging Face": hugging_face,
    "mamba_ssm": mamba_ssm,
}
"""By a layout's name: how to write one, and the tensors that its file must have."""


class Folder:
    """A folder in a layout, and reading it after a change of its tensors."""

    def __init__(self, layout, folder):
        self.path, self.tensors = FILES[layout](folder)
        self._named = folder if (folder / "config.json").exists() else self.path

    def read(self, tensors):
        torch.save(tensors, self.path)
        return read_checkpoint(self._named, None if self.one_hot else ALPHABET)

    @property
    def one_hot(self):
        return "redshift_scale" in self.tensors


@pytest.fixture(params=FILES)
def folder(request, tmp_path):
    return Folder(request.param, tmp_path)


def failure(folder, tensors, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        folder.read(tensors)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def short(name):
    name = name.removeprefix("caduceus.").removeprefix("backbone.")
    return name.replace("embeddings.word_embeddings.", "embedding.").replace("embeddings.", "embedding.")


def test_every_layout_of_the_registry_is_here():
    layouts = [layout for family in FAMILIES for layout in family.layouts]
    assert {layout.name for layout in layouts} == set(FILES)
    assert [layout.name for layout in layouts if not layout.signs] == []


def test_the_files_as_they_are_are_read_and_what_told_them_is_said(folder):
    checkpoint = folder.read(folder.tensors)
    assert checkpoint.layout in FILES
    assert checkpoint.recognised_by
    assert checkpoint.ignored == ()


def test_a_missing_tensor_is_named_whichever_it_is(folder):
    for name in folder.tensors:
        message = failure(folder, {other: t for other, t in folder.tensors.items() if other != name})
        assert short(name) in message or f"{short(name).rpartition('.')[0]}." in message, (name, message)


def test_a_misshapen_tensor_is_named_whichever_it_is(folder):
    for name, tensor in folder.tensors.items():
        message = failure(folder, folder.tensors | {name: torch.ones(*tensor.shape, 2)}, TensorError)
        assert short(name) in message, (name, message)


def test_an_extra_tensor_of_the_model_is_named(folder):
    last = list(folder.tensors)[-1]
    extra = f"{last.rpartition('.')[0] or last}.of_no_model"
    assert short(extra) in failure(folder, folder.tensors | {extra: torch.ones(2)}, TensorError)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize(
    "held", [Trap(), torch.nn.Linear(2, 2), 3.0, "text", [torch.ones(2)]], ids=lambda held: type(held).__name__
)
def test_what_is_no_tensor_is_refused(folder, held, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = list(folder.tensors)[-1]
    kind = UnsafeCheckpointError if isinstance(held, Trap | torch.nn.Module) else TensorError
    message = failure(folder, folder.tensors | {name: held}, kind)
    assert kind is UnsafeCheckpointError or name in message
    assert not (tmp_path / "trapped").exists()

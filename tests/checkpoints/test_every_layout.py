"""Whatever layout a file is in: a tensor that is missing, misshapen or extra is named, and nothing but tensors is read.

A layout that is not among FILES fails the first test: whoever adds one adds how its files look.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from causal_files import FILES as PUBLISHED
from hub_files import MAMBA2_SSM, make_hub_mamba2, make_hub_model, write_tokenizer
from typer.testing import CliRunner

from pgf_cli.checkpoints import CheckpointError, TensorError, UnsafeCheckpointError, read_checkpoint
from pgf_cli.checkpoints.registry import FAMILIES
from pgf_cli.cli.app import app
from pgf_cli.core.models import BaseIds, FrechetConfig, FrechetModel, Mamba2Config, MambaConfig, MambaLM
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM, CaduceusMamba2Config, CaduceusMamba2LM

MAMBA = MambaConfig(d_model=6, n_layer=2, d_inner=10, d_state=3, d_conv=4, dt_rank=2, vocab_size=5, head=False)
MAMBA2 = Mamba2Config(d_model=6, n_layer=2, heads=2, head_dim=4, d_state=3, groups=1, vocab_size=8)
ALPHABET = "A=0,C=1,G=2,T=3"


class Files(NamedTuple):
    """How files of a layout look."""

    tensors: dict
    """That its file must have, by the names that it gives them."""
    save: Callable
    """Writes tensors; returns what ``--model`` is given."""
    renamed: Mapping = MappingProxyType({})
    """What errors call a tensor that has another name in the model."""


def one_file(folder, tensors):
    def save(tensors):
        torch.save(tensors, folder / "model.bin")
        return folder / "model.bin"

    return Files(tensors, save)


def of_folder(folder, settings, tensors, renamed=None):
    (folder / "config.json").write_text(json.dumps(settings))

    def save(tensors):
        torch.save(tensors, folder / "pytorch_model.bin")
        return folder

    return Files({k: v for k, v in tensors.items() if k != "lm_head.weight"}, save, renamed or {})


def frechet(folder):
    config = FrechetConfig(d_model=4, d_state=3, window=2, embedded=False, projection_bias=True)
    return one_file(folder, FrechetModel(config).state_dict())


def bare_mamba(folder):
    return one_file(folder, MambaLM(MAMBA, BaseIds(0, 1, 2, 3, 4), "hidden").state_dict())


def without_prefix(tensors):
    return {name: name.removeprefix("backbone.").replace("embeddings.", "embedding.") for name in tensors}


def hugging_face(folder, model=None, architecture="MambaForCausalLM"):
    model = model or make_hub_model(num_hidden_layers=2)
    model.config.architectures = [architecture]
    write_tokenizer(folder)
    # As JSON has it: infinity is an object there.
    settings = json.loads(model.config.to_json_string(use_diff=False))
    return of_folder(folder, settings, model.state_dict(), without_prefix(model.state_dict()))


def mamba2_hugging_face(folder):
    return hugging_face(folder, make_hub_mamba2(tie_word_embeddings=True), "Mamba2ForCausalLM")


def mamba_ssm(folder):
    settings = {"d_model": 8, "n_layer": 2, "vocab_size": 11, "pad_vocab_size_multiple": 1, "ssm_cfg": {"dt_rank": 2}}
    return of_mamba_ssm(folder, settings, make_hub_model(num_hidden_layers=2))


def mamba2_ssm(folder):
    return of_mamba_ssm(folder, MAMBA2_SSM, make_hub_mamba2(tie_word_embeddings=True))


def of_mamba_ssm(folder, settings, model):
    tensors = {name.replace("embeddings", "embedding"): tensor for name, tensor in model.state_dict().items()}
    return of_folder(folder, settings, tensors, without_prefix(tensors))


def caduceus(folder):
    sizes = {name: value for name, value in asdict(MAMBA).items() if name not in ("layer_norm", "one_hot")}
    config = CaduceusConfig(**sizes | {"vocab_size": 8, "head": True})
    return of_caduceus(folder, CaduceusLM(config, BaseIds(0, 1, 2, 3, None), "hidden"))


def caduceus_mamba2(folder):
    config = CaduceusMamba2Config(**asdict(MAMBA2))
    return of_caduceus(folder, CaduceusMamba2LM(config, BaseIds(0, 1, 2, 3, None), "hidden"))


def of_caduceus(folder, model):
    settings = {"model_type": "caduceus", "architectures": ["CaduceusForMaskedLM"], "n_layer": 2}
    shared = ("mamba_rev.in_proj.weight", "mamba_rev.out_proj.weight")
    tensors = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith(shared)}
    names = {name: "caduceus.backbone." + name.replace("embedding.", "embeddings.word_embeddings.") for name in tensors}
    renamed = {theirs: name for name, theirs in names.items()}
    return of_folder(folder, settings, {names[name]: tensor for name, tensor in tensors.items()}, renamed)


def published(name):
    """One of the models that are no folders of transformers or mamba_ssm: see `causal_files`."""

    def files(folder):
        model = PUBLISHED[name]
        tensors = {key: tensor for key, tensor in model.tensors().items() if key != model.tied}
        renamed = {key: key.removeprefix("backbone.") for key in tensors} | dict(model.renamed)
        return Files(tensors, partial(model.write, folder), renamed)

    return files


FILES = {
    ("mamba", "mamba_ssm"): mamba_ssm,
    ("mamba", "Hugging Face"): hugging_face,
    ("mamba", "Orthrus"): published("Orthrus, pt"),
    ("mamba", "Caduceus's causal baseline"): published("Caduceus's causal baseline"),
    ("mamba", "bare tensors"): bare_mamba,
    ("mamba2", "mamba_ssm"): mamba2_ssm,
    ("mamba2", "Hugging Face"): mamba2_hugging_face,
    ("caduceus", "Hugging Face"): caduceus,
    ("caduceus-mamba2", "Hugging Face"): caduceus_mamba2,
    ("barcodemamba", "BarcodeMamba"): published("BarcodeMamba"),
    ("kda", "Mnemos-DNA"): published("Mnemos-DNA"),
    ("frechet", "the paper's state dict"): frechet,
}
"""By a family's and a layout's name: how to write one."""


class Written:
    """A checkpoint in a layout, and reading it after a change of its tensors."""

    def __init__(self, layout, folder):
        self._files = FILES[layout](folder)
        self.tensors, self.layout = self._files.tensors, layout

    def read(self, tensors):
        return read_checkpoint(self._files.save(tensors), None if self.one_hot else ALPHABET)

    def save(self):
        """Write it as it is; return what ``--model`` is given."""
        return self._files.save(self.tensors)

    def short(self, name):
        """What errors call a tensor."""
        return self._files.renamed.get(name, name)

    @property
    def one_hot(self):
        return self.layout[0] == "frechet" or self.layout[1] == "Orthrus"


@pytest.fixture(params=FILES, ids=" as ".join)
def written(request, tmp_path):
    return Written(request.param, tmp_path)


def failure(written, tensors, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        written.read(tensors)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_layout_of_the_registry_is_here():
    layouts = {(family.name, layout.name): layout for family in FAMILIES for layout in family.layouts}
    assert set(layouts) == set(FILES)
    assert [name for name, layout in layouts.items() if not layout.signs] == []


def test_the_files_as_they_are_are_read_and_what_told_them_is_said(written):
    checkpoint = written.read(written.tensors)
    assert (checkpoint.family.name, checkpoint.layout) == written.layout
    assert checkpoint.recognised_by
    assert checkpoint.ignored == ()


def test_a_missing_tensor_is_named_whichever_it_is(written):
    for name in written.tensors:
        message, short = failure(written, {k: v for k, v in written.tensors.items() if k != name}), written.short(name)
        assert short in message or f"{short.rpartition('.')[0]}." in message, (name, message)


def test_a_misshapen_tensor_is_named_whichever_it_is(written):
    for name, tensor in written.tensors.items():
        message = failure(written, written.tensors | {name: torch.ones(*tensor.shape, 2)}, TensorError)
        assert written.short(name) in message, (name, message)


def test_an_extra_tensor_of_the_model_is_named(written):
    last = list(written.tensors)[-1]
    extra, short = (f"{name.rpartition('.')[0] or name}.of_no_model" for name in (last, written.short(last)))
    assert short in failure(written, written.tensors | {extra: torch.ones(2)}, TensorError)


def test_a_run_is_certified_and_its_page_and_inspect_s_name_the_family(written, tmp_path):
    dna = "".join(np.random.default_rng(1).choice(list("ACGT"), 90))
    (tmp_path / "dna.fa").write_text(f">chr1\n{dna}\n")
    path, alphabet = str(written.save()), [] if written.one_hot else ["--alphabet", ALPHABET]
    output = tmp_path / "run"
    run = ["run", str(tmp_path / "dna.fa"), "--model", path, *alphabet, "-o", f"{output}/"]
    done = CliRunner().invoke(app, run, env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert "certificate of exactness: passed" in done.output
    page = CliRunner().invoke(app, ["inspect", path, *alphabet], env={"COLUMNS": "80"}).output
    family, layout = written.layout
    assert f"{family}, in the layout of {layout}" in " ".join(page.split())
    assert f"({family}, " in done.output
    assert "None" not in page + done.output


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize(
    "held", [Trap(), torch.nn.Linear(2, 2), 3.0, "text", [torch.ones(2)]], ids=lambda held: type(held).__name__
)
def test_what_is_no_tensor_is_refused(written, held, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = list(written.tensors)[-1]
    kind = UnsafeCheckpointError if isinstance(held, Trap | torch.nn.Module) else TensorError
    message = failure(written, written.tensors | {name: held}, kind)
    assert kind is UnsafeCheckpointError or name in message
    assert not (tmp_path / "trapped").exists()

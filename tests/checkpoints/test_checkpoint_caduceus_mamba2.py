"""Folders of Caduceus with Mamba-2 mixers, as PlantCAD2 publishes them: config.json does not name the mixers."""

import json

import pytest
import torch
from hub_files import edit_json, write_tokenizer
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from pgf_cli.checkpoints import (
    AlphabetError,
    CheckpointError,
    UnsupportedArchitectureError,
    inspect_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from pgf_cli.cli.app import app
from pgf_cli.core.models import BaseIds
from pgf_cli.core.models.caduceus import CaduceusMamba2Config, CaduceusMamba2LM

IDS, COMPLEMENT = BaseIds(3, 4, 5, 6, 2), [0, 1, 2, 6, 5, 4, 3, 7]
SIZES = {"d_model": 8, "n_layer": 2, "heads": 4, "head_dim": 4, "d_state": 6, "d_conv": 4, "vocab_size": 8}
PLANTCAD2 = {
    "model_type": "caduceus",
    "architectures": ["CaduceusForMaskedLM"],
    "complement_map": {str(token): other for token, other in enumerate(COMPLEMENT)},
    "d_model": 8,
    "n_layer": 2,
    "vocab_size": 8,
    "rcps": True,
    "fused_add_norm": True,
    "rms_norm": True,
    "ssm_cfg": {"d_state": 6, "d_conv": 4, "expand": 2, "bias": False, "conv_bias": True},
}


def known_model(vocab_size=8, **settings):
    config = CaduceusMamba2Config(
        **SIZES | {"vocab_size": vocab_size}, both_strands=True, swapped=True, mask_id=1, **settings
    )
    model = CaduceusMamba2LM(config, IDS, "logprobs").to(torch.float32).requires_grad_(False)
    generator = torch.Generator().manual_seed(6)
    for weight in model.parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    for block in model.layers:
        for name in ("in_proj", "out_proj"):
            getattr(block.mixer.mamba_rev, name).weight.copy_(getattr(block.mixer.mamba_fwd, name).weight)
    model.complement.copy_(torch.tensor([*COMPLEMENT, *range(8, vocab_size)]))
    return model


def write(folder, model, **changes):
    """The reverse mixers' projections and the head, which are shared, are not in a safetensors file."""
    folder.mkdir(exist_ok=True)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name == "complement":
            tensors["caduceus.backbone.embeddings.word_embeddings.complement_map"] = tensor.long()
        elif "mamba_rev" not in name or "_proj" not in name:
            wrapped = name.replace(".mixer.", ".mixer.submodule.")
            wrapped = wrapped.replace("embedding.weight", "embeddings.word_embeddings.embedding.weight")
            tensors[f"caduceus.backbone.{wrapped}"] = tensor
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(PLANTCAD2 | changes))
    return folder


def change_ssm(folder, **changes):
    edit_json(folder / "config.json", ssm_cfg={**PLANTCAD2["ssm_cfg"], **changes})


def failure(folder, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        read_checkpoint(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_same(checkpoint, model):
    wanted = model.state_dict()
    assert checkpoint.config == model.config
    assert checkpoint.tensors.keys() == wanted.keys()
    assert all(torch.equal(checkpoint.tensors[name].float(), tensor) for name, tensor in wanted.items())
    assert checkpoint.base_ids == IDS


def test_the_tensors_tell_the_mixers_and_shared_ones_are_given_to_both(tmp_path):
    model = known_model()
    read = read_checkpoint(write(tmp_path / "plantcad2", model))
    assert_same(read, model)
    assert read.family.name == "caduceus-mamba2"
    assert "layers.0.mixer.submodule.mamba_fwd.dt_bias" in read.recognised_by
    assert read.alphabet_source == "the tokens of PlantCaduceus, N as [UNK]"
    assert read.note is None


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_our_own_format_keeps_all_of_it(suffix, tmp_path):
    model = known_model()
    save_checkpoint(tmp_path / f"own{suffix}", model.config, model.state_dict(), IDS)
    assert_same(read_checkpoint(tmp_path / f"own{suffix}"), model)


def test_groups_are_those_of_the_config_or_one_which_is_said_where_nothing_shows_it(tmp_path):
    folder = write(tmp_path / "groups", known_model())
    change_ssm(folder, ngroups=2, d_state=3)
    read = read_checkpoint(folder)
    assert (read.config.groups, read.config.d_state, read.note) == (2, 3, None)
    change_ssm(folder, ngroups=2)
    assert "ngroups x d_state = 12, but in" in failure(folder)
    edit_json(folder / "config.json", ssm_cfg={})
    read = read_checkpoint(folder)
    assert (read.config.groups, read.config.d_state) == (1, 6)
    assert "neither ngroups nor d_state: B and C are taken to be of one group" in read.note
    edit_json(folder / "config.json", ssm_cfg={"ngroups": 4})
    assert "the 6 rows of B and of C in" in failure(folder)


@pytest.mark.parametrize(
    ("changes", "ssm", "said"),
    [
        ({"norm_epsilon": 1e-6}, {}, "norm_epsilon = 1e-06, but the norms inside Mamba-2 mixers have 1e-05"),
        ({}, {"norm_before_gate": True}, "norm_before_gate = true"),
        ({}, {"d_ssm": 8}, "d_ssm = 8"),
        ({}, {"headdim": 8}, "headdim = 8, but in"),
        ({"d_model": 16}, {}, "d_model = 16, but in"),
        ({"bidirectional": False}, {}, "bidirectional = false"),
    ],
)
def test_what_the_config_says_otherwise_is_one_line(changes, ssm, said, tmp_path):
    folder = write(tmp_path / "other", known_model())
    change_ssm(folder, **ssm)
    edit_json(folder / "config.json", **changes)
    assert said in failure(folder, (CheckpointError, UnsupportedArchitectureError))


def test_mixers_without_a_norm_and_with_limits_of_steps_are_read(tmp_path):
    model = known_model(gated_norm=False, delta_max=0.5)
    folder = write(tmp_path / "plain", model)
    change_ssm(folder, rmsnorm=False, dt_limit=[0.0, 0.5])
    assert_same(read_checkpoint(folder), model)


def test_tensors_lost_or_of_the_other_kind_are_named(tmp_path):
    folder = write(tmp_path / "lost", known_model())
    path = folder / "model.safetensors"
    tensors = load_file(path)
    lost = "caduceus.backbone.layers.0.mixer.submodule.mamba_fwd.dt_bias"
    save_file({name: tensor for name, tensor in tensors.items() if name != lost}, path)
    assert "no tensor layers.0.mixer.mamba_fwd.dt_bias" in failure(folder)
    save_file(tensors | {lost.replace("dt_bias", "x_proj.weight"): torch.ones(3, 16)}, path)
    assert "layers.0.mixer.mamba_fwd.x_proj.weight has no place in a caduceus-mamba2 model" in failure(folder)


def test_the_tokens_of_another_vocabulary_are_its_tokenizer_s_and_of_bpe_are_none(tmp_path):
    folder = write(tmp_path / "words", known_model(vocab_size=16), vocab_size=16, rcps=False)
    edit_json(folder / "config.json", pad_vocab_size_multiple=1)
    write_tokenizer(folder, {"[MASK]": 4, "A": 9, "C": 10, "G": 11, "T": 12, "N": 13, "[UNK]": 0})
    read = read_checkpoint(folder)
    assert (read.base_ids, read.config.mask_id) == (BaseIds(9, 10, 11, 12, 13), 4)
    write_tokenizer(folder, {"[MASK]": 4, "ACG": 9, "TTGA": 10, "G": 11})
    assert "has tokens of several bases" in failure(folder, AlphabetError)


def test_inspect_s_page_says_what_is_masked_and_what_has_no_limit(tmp_path):
    folder = write(tmp_path / "plantcad2", known_model())
    page = CliRunner().invoke(app, ["inspect", str(folder)], env={"COLUMNS": "80"}).stdout
    said = " ".join(page.split())
    assert "N = 2, [MASK] = 1 (from the tokens of PlantCaduceus, N as [UNK])" in said
    assert "delta_max none, gated_norm yes" in said
    assert "d_conv 4, vocab_size 8 settings" in said
    assert "between tiles a layer's state of 2.9 kB" in said


def test_inspect_counts_its_memory_and_says_that_it_goes_layer_by_layer(tmp_path):
    folder = write(tmp_path / "plantcad2", known_model())
    page = inspect_checkpoint(folder, None, None, "float32")
    assert (page.architecture, page.traversal, page.head) == ("caduceus-mamba2", "layer by layer", "tied")
    # Two passes of a strand, two strands: the convolution's last three inputs and a state per head.
    each = 3 * (16 + 2 * 6) + 4 * 4 * 6
    assert page.state_bytes.primal == 4 * 4 * each
    assert page.memory_bytes.adjoint.working > page.state_bytes.primal

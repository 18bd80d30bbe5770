"""mamba_ssm folders; the independent source is transformers, which loads their tensors after renaming one of them."""

import json

import pytest
import torch
from hub_files import edit_json, make_hub_model, write_tokenizer
from safetensors.torch import save_file

from pgf_cli.checkpoints import (
    CheckpointError,
    MissingTensorError,
    UnsupportedArchitectureError,
    read_checkpoint,
    save_checkpoint,
)

# As mamba_ssm writes it, of a vocabulary of 11 that it pads to 16; sizes of the hub model with vocab_size 16.
CONFIG = {
    "d_model": 8,
    "d_intermediate": 0,
    "n_layer": 3,
    "vocab_size": 11,
    "ssm_cfg": {"d_state": 4, "dt_rank": 2},
    "attn_layer_idx": [],
    "attn_cfg": {},
    "rms_norm": True,
    "residual_in_fp32": True,
    "fused_add_norm": True,
    "pad_vocab_size_multiple": 8,
}


def mamba_ssm_tensors(model):
    """The state dict of MambaLMHeadModel: the embedding has another name, and the tied head is in it."""
    return {name.replace(".embeddings.", ".embedding."): tensor for name, tensor in model.state_dict().items()}


@pytest.fixture(scope="module")
def model():
    return make_hub_model(vocab_size=16)


@pytest.fixture
def hub(model, tmp_path):
    model.save_pretrained(tmp_path / "hub")
    write_tokenizer(tmp_path / "hub")
    return tmp_path / "hub"


@pytest.fixture
def folder(model, tmp_path):
    path = tmp_path / "mamba_ssm"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    tensors = mamba_ssm_tensors(model)
    assert {"backbone.embedding.weight", "lm_head.weight"} <= tensors.keys()
    torch.save(tensors, path / "pytorch_model.bin")
    write_tokenizer(path)
    return path


def failure(path, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_both_layouts_of_the_same_weights_give_the_same_bytes(hub, folder, tmp_path):
    ours, theirs = read_checkpoint(folder), read_checkpoint(hub)
    assert (ours.layout, theirs.layout) == ("mamba_ssm", "Hugging Face")
    assert ours.config == theirs.config
    assert (ours.base_ids, ours.alphabet_source) == (theirs.base_ids, "tokenizer.json")
    assert ours.ignored == theirs.ignored == ()
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in theirs.tensors.items():
        assert ours.tensors[name].numpy().tobytes() == tensor.numpy().tobytes(), name
    for name, checkpoint in (("ours", ours), ("theirs", theirs)):
        save_checkpoint(
            tmp_path / f"{name}.safetensors", checkpoint.config, checkpoint.tensors, checkpoint.base_ids, None
        )
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()


def test_safetensors_without_the_tied_head_are_read_too(model, folder):
    (folder / "pytorch_model.bin").unlink()
    tensors = mamba_ssm_tensors(model)
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors")
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config.head
    assert checkpoint.config.tied
    assert checkpoint.files == tuple(folder / name for name in ("config.json", "model.safetensors", "tokenizer.json"))


def test_a_head_of_its_own_is_kept_and_a_tied_one_must_be_the_embedding(model, folder):
    head = torch.ones(16, 8)
    torch.save(mamba_ssm_tensors(model) | {"lm_head.weight": head}, folder / "pytorch_model.bin")
    assert "says tie_embeddings = true" in failure(folder)
    edit_json(folder / "config.json", tie_embeddings=False)
    checkpoint = read_checkpoint(folder)
    assert not checkpoint.config.tied
    assert torch.equal(checkpoint.tensors["lm_head.weight"], head)
    tensors = mamba_ssm_tensors(model)
    del tensors["lm_head.weight"]
    torch.save(tensors, folder / "pytorch_model.bin")
    assert "has no tensor lm_head.weight" in failure(folder, MissingTensorError)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rms_norm": False}, "rms_norm = false (LayerNorm)"),
        ({"d_intermediate": 32}, "d_intermediate = 32 (an MLP in each block)"),
    ],
)
def test_what_is_no_plain_mamba_is_refused_by_name(folder, changes, expected):
    edit_json(folder / "config.json", **changes)
    message = failure(folder, UnsupportedArchitectureError)
    assert f"config.json: {expected} is not supported" in message


def test_tensors_of_mamba2_are_refused_where_the_config_says_mamba1(model, folder):
    edit_json(folder / "config.json", ssm_cfg={"layer": "Mamba1", "d_state": 4, "dt_rank": 2})
    name = "backbone.layers.0.mixer.dt_bias"
    torch.save(mamba_ssm_tensors(model) | {name: torch.zeros(2)}, folder / "pytorch_model.bin")
    assert f"Mamba2 layers (it has {name})" in failure(folder, UnsupportedArchitectureError)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("d_model", 16, "d_model = 16, but in {weights} embedding.weight makes it 8"),
        ("n_layer", 4, "n_layer = 4, but in {weights} the tensors make it 3"),
        ("n_layer", None, "has no n_layer"),
        (
            "vocab_size",
            17,
            "vocab_size, padded to a multiple of 8, = 24, but in {weights} embedding.weight makes it 16",
        ),
        ("pad_vocab_size_multiple", 1, "vocab_size, padded to a multiple of 1, = 11, but"),
        ("ssm_cfg", {"d_state": 16}, "d_state = 16, but in {weights} layers.0.mixer.A_log makes it 4"),
        ("ssm_cfg", {"expand": 3}, "expand x d_model = 24, but"),
        ("ssm_cfg", {"d_conv": 3}, "d_conv = 3, but"),
        ("ssm_cfg", {"dt_rank": "auto"}, "dt_rank = 1, but in {weights} layers.0.mixer.dt_proj.weight makes it 2"),
        ("ssm_cfg", {"dt_rank": "many"}, "dt_rank is 'many'"),
        ("ssm_cfg", {"dt_rank": 2, "bias": True}, "has no tensor layers.0.mixer.in_proj.bias"),
        ("ssm_cfg", {"dt_rank": 2, "conv_bias": False}, "tensor layers.0.mixer.conv1d.bias has no place"),
        ("ssm_cfg", "large", "ssm_cfg is 'large'; it must be an object"),
    ],
)
def test_a_config_that_contradicts_the_tensors_is_an_error_naming_both(folder, field, value, expected):
    edit_json(folder / "config.json", **{field: value})
    assert expected.format(weights=folder / "pytorch_model.bin") in failure(folder)


def test_the_weights_alone_point_to_their_folder(folder):
    assert f"mamba_ssm model give its folder, {folder}" in failure(folder / "pytorch_model.bin")

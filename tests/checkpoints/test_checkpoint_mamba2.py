"""Mamba-2 folders of both layouts; the independent source of Hugging Face's is transformers, which wrote them."""

import json

import pytest
import torch
from hub_files import MAMBA2_SSM, edit_json, make_hub_mamba2, write_tokenizer
from safetensors.torch import load_file, save_file

from pgf_cli.checkpoints import (
    CheckpointError,
    MissingTensorError,
    TensorError,
    UnsupportedArchitectureError,
    read_checkpoint,
    save_checkpoint,
)


@pytest.fixture
def make_hub(tmp_path):
    def make_hub(name="hub", **settings):
        make_hub_mamba2(**settings).save_pretrained(tmp_path / name)
        write_tokenizer(tmp_path / name)
        return tmp_path / name

    return make_hub


@pytest.fixture
def hub(make_hub):
    return make_hub()


@pytest.fixture
def make_folder(tmp_path):
    """As mamba_ssm writes it; its state dict has the tied head in it."""

    def make_folder(changes=None, **ssm_cfg):
        path = tmp_path / "mamba_ssm"
        path.mkdir()
        config = MAMBA2_SSM | {"ssm_cfg": MAMBA2_SSM["ssm_cfg"] | ssm_cfg}
        (path / "config.json").write_text(json.dumps(config))
        state = make_hub_mamba2(tie_word_embeddings=True).state_dict()
        tensors = {name.replace(".embeddings.", ".embedding."): tensor for name, tensor in state.items()}
        torch.save(tensors | (changes or {}), path / "pytorch_model.bin")
        write_tokenizer(path)
        return path

    return make_folder


def change_tensors(folder, **changes):
    """Change tensors of a Hugging Face folder by the end of their names; None removes one."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for end, value in changes.items():
        name = f"backbone.layers.0.mixer.{end.replace('__', '.')}"
        tensors.pop(name, None)
        if value is not None:
            tensors[name] = value
    save_file(tensors, path)


def failure(path, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_both_layouts_and_our_own_give_the_same_weights(make_hub, make_folder, tmp_path):
    theirs, ours = read_checkpoint(make_hub(tie_word_embeddings=True)), read_checkpoint(make_folder())
    assert (ours.layout, theirs.layout, ours.architecture) == ("mamba_ssm", "Hugging Face", "mamba2")
    assert ours.config == theirs.config
    config = ours.config
    assert (config.heads, config.head_dim, config.d_state, config.groups) == (4, 4, 3, 2)
    assert (config.delta_min, config.delta_max, config.tied, config.gated_norm) == (None, None, True, True)
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in theirs.tensors.items():
        assert torch.equal(ours.tensors[name], tensor), name
    for suffix in ("pt", "safetensors"):
        save_checkpoint(tmp_path / f"own.{suffix}", config, ours.tensors, ours.base_ids)
        own = read_checkpoint(tmp_path / f"own.{suffix}")
        assert (own.config, own.architecture) == (config, "mamba2")
        assert all(torch.equal(own.tensors[name], tensor) for name, tensor in ours.tensors.items())


def test_a_head_is_not_the_embedding_unless_the_config_says_so(hub):
    checkpoint = read_checkpoint(hub)
    assert not checkpoint.config.tied
    assert torch.equal(checkpoint.tensors["lm_head.weight"], load_file(hub / "model.safetensors")["lm_head.weight"])
    edit_json(hub / "config.json", tie_word_embeddings=None)
    assert not read_checkpoint(hub).config.tied
    edit_json(hub / "config.json", tie_word_embeddings=True)
    assert "lm_head.weight is not embedding.weight" in failure(hub)


def test_a_model_without_a_head(tmp_path):
    make_hub_mamba2().backbone.save_pretrained(tmp_path / "backbone")
    write_tokenizer(tmp_path / "backbone")
    assert not read_checkpoint(tmp_path / "backbone").config.head


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ([0.0, float("inf")], (None, None)),
        ([0.01, 0.2], (0.01, 0.2)),
        ([0.0, {"__float__": "Infinity"}], (None, None)),
        ([0.01, float("inf")], (0.01, None)),
        (None, (None, None)),
    ],
)
def test_limits_of_step_sizes(hub, make_folder, limit, expected, tmp_path):
    edit_json(hub / "config.json", time_step_limit=limit)
    for config in (read_checkpoint(hub).config, read_checkpoint(make_folder(dt_limit=limit)).config):
        assert (config.delta_min, config.delta_max) == expected
    checkpoint = read_checkpoint(hub)
    save_checkpoint(tmp_path / "own.safetensors", checkpoint.config, checkpoint.tensors, checkpoint.base_ids)
    assert read_checkpoint(tmp_path / "own.safetensors").config == checkpoint.config


def test_limits_as_transformers_writes_them(make_hub):
    config = read_checkpoint(make_hub(time_step_limit=(0.5, 1.0))).config
    assert (config.delta_min, config.delta_max) == (0.5, 1.0)


def test_groups_left_out_are_those_of_each_program(make_hub, make_folder):
    hub = make_hub(n_groups=8, num_heads=8, head_dim=2)
    edit_json(hub / "config.json", n_groups=None, state_size=None)
    config = read_checkpoint(hub).config
    assert (config.groups, config.d_state) == (8, 3)
    config = read_checkpoint(make_folder(ngroups=None, d_state=6)).config
    assert (config.groups, config.d_state) == (1, 6)


def test_layers_are_known_by_their_tensors_where_the_config_does_not_name_them(make_folder):
    assert read_checkpoint(make_folder(layer=None)).architecture == "mamba2"


def test_skip_weights_per_channel_and_no_norm_after_the_gate(make_folder):
    names = [f"backbone.layers.{layer}.mixer." for layer in range(2)]
    folder = make_folder({f"{name}D": torch.ones(16) for name in names}, D_has_hdim=True)
    assert read_checkpoint(folder).config.skip_per_channel
    edit_json(folder / "config.json", ssm_cfg=MAMBA2_SSM["ssm_cfg"] | {"D_has_hdim": False})
    assert "D_has_hdim = False, but in" in failure(folder)
    edit_json(folder / "config.json", ssm_cfg=MAMBA2_SSM["ssm_cfg"] | {"rmsnorm": False})
    assert "tensor layers.0.mixer.norm.weight has no place" in failure(folder, TensorError)
    tensors = torch.load(folder / "pytorch_model.bin")
    torch.save({name: t for name, t in tensors.items() if "mixer.norm" not in name}, folder / "pytorch_model.bin")
    assert not read_checkpoint(folder).config.gated_norm
    edit_json(folder / "config.json", ssm_cfg=MAMBA2_SSM["ssm_cfg"])
    assert "no tensor layers.0.mixer.norm.weight" in failure(folder, MissingTensorError)


@pytest.mark.parametrize(
    ("ssm_cfg", "expected"),
    [
        ({"norm_before_gate": True}, "norm_before_gate = true is not supported"),
        ({"d_ssm": 12}, "d_ssm = 12 (an MLP beside the recurrence) is not supported"),
        ({"activation": "gelu"}, "activation = 'gelu' is not supported"),
    ],
)
def test_what_is_not_read_of_mamba_ssm_is_refused_by_name(make_folder, ssm_cfg, expected):
    assert f"config.json: ssm_cfg: {expected}" in failure(make_folder(**ssm_cfg), UnsupportedArchitectureError)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("hidden_size", 16, "hidden_size = 16, but in {weights} embedding.weight makes it 8"),
        ("num_heads", 2, "num_heads = 2, but in {weights} layers.0.mixer.A_log makes it 4"),
        ("head_dim", 8, "head_dim = 8, but"),
        ("n_groups", 4, "n_groups x state_size = 12, but in {weights} layers.0.mixer.conv1d.weight makes it 6"),
        ("state_size", 6, "n_groups x state_size = 12, but"),
        ("conv_kernel", 3, "conv_kernel = 3, but"),
        ("expand", 3, "expand x hidden_size = 24, but"),
        ("num_hidden_layers", 3, "num_hidden_layers = 3, but in {weights} the tensors make it 2"),
        ("num_hidden_layers", None, "has no num_hidden_layers"),
        ("vocab_size", 8, "vocab_size = 8, but"),
        ("use_bias", True, "has no tensor layers.0.mixer.in_proj.bias"),
        ("use_conv_bias", False, "tensor layers.0.mixer.conv1d.bias has no place"),
        ("time_step_limit", [1.0, 0.5], "time_step_limit is [1.0, 0.5]; it must be a list of the least"),
        ("time_step_limit", 3, "time_step_limit is 3; it must be a list"),
        ("hidden_act", "gelu", "hidden_act is 'gelu'"),
    ],
)
def test_a_config_that_contradicts_the_tensors_is_an_error_naming_both(hub, field, value, expected):
    edit_json(hub / "config.json", **{field: value})
    assert expected.format(weights=hub / "model.safetensors") in failure(hub)


def test_groups_that_cannot_share_heads_or_maps_are_refused(hub):
    edit_json(hub / "config.json", n_groups=3, state_size=2)
    assert "n_groups = 3, but the 4 heads" in failure(hub)
    edit_json(hub / "config.json", n_groups=4, state_size=None)
    assert "n_groups = 4, but the 6 rows of B and of C" in failure(hub)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dt_bias": None}, "no tensor layers.0.mixer.dt_bias"),
        ({"A_log": None}, "no tensor layers.0.mixer.A_log"),
        ({"norm__weight": torch.ones(5)}, "layers.0.mixer.norm.weight has shape (5,), expected (16,)"),
        ({"D": torch.ones(5)}, "layers.0.mixer.D has shape (5,), expected (4,)"),
        ({"A_log": torch.ones(5)}, "16 channels (layers.0.mixer.out_proj.weight) in 5 heads"),
        ({"conv1d__weight": torch.ones(29, 1, 4)}, "conv1d.weight has 29 channels, expected 16 of the block"),
        ({"x_proj__weight": torch.ones(2, 2)}, "tensor layers.0.mixer.x_proj.weight has no place in a mamba2 model"),
        ({"init_states": torch.ones(4, 4, 3)}, "tensor layers.0.mixer.init_states has no place"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_tensor_missing_misshapen_or_extra_is_named(hub, changes, expected):
    change_tensors(hub, **changes)
    assert expected in failure(hub)

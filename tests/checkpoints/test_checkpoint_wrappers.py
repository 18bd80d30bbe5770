"""What training programs put around a model; the independent writers are torch's own wrappers and PEFT's names."""

import json
import shutil

import pytest
import torch
from hub_files import edit_json
from safetensors.torch import load_file, save_file
from torch import nn

from pgf_cli.checkpoints import CheckpointError, TensorError, UnsupportedArchitectureError, read_checkpoint

LORA = {f"base_model.model.backbone.layers.0.mixer.in_proj.lora_{half}.weight": torch.ones(2, 2) for half in ("A", "B")}


@pytest.fixture
def weights(hub_folder):
    """The folder's tensors; the folder is left without any."""
    found = load_file(hub_folder / "model.safetensors")
    (hub_folder / "model.safetensors").unlink()
    return found


@pytest.fixture
def expected(hub_folder):
    return read_checkpoint(hub_folder).tensors_sha256


def prefixed(weights, *prefixes):
    return {"".join(prefixes) + name: tensor for name, tensor in weights.items()}


def failure(path, kind):
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def compiled_inside(weights):
    return {name.replace("layers.1.", "layers.1._orig_mod."): tensor for name, tensor in weights.items()}


def fully_sharded(weights):
    return {name.replace("mixer.", "_fsdp_wrapped_module.mixer."): tensor for name, tensor in weights.items()}


WRAPPERS = {
    "DataParallel": lambda weights: prefixed(weights, "module."),
    "torch.compile": lambda weights: prefixed(weights, "_orig_mod."),
    "both": lambda weights: prefixed(weights, "_orig_mod.", "module."),
    "a Lightning module": lambda weights: prefixed(weights, "model."),
    "compiled inside a Lightning module": lambda weights: prefixed(weights, "model.", "_orig_mod."),
    "one compiled layer": compiled_inside,
    "FSDP": fully_sharded,
    "Lightning": lambda weights: {"epoch": 3, "state_dict": prefixed(weights, "model."), "optimizer_states": [{}]},
    "tutorials": lambda weights: {"model_state_dict": weights, "optimizer_state_dict": {"state": {}}, "loss": 0.5},
    "model": lambda weights: {"model": weights, "step": 7},
    "DeepSpeed": lambda weights: {"module": prefixed(weights, "module."), "dp_world_size": 2},
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_model_is_the_model(hub_folder, expected, weights, wrap):
    torch.save(wrap(weights), hub_folder / "pytorch_model.bin")
    checkpoint = read_checkpoint(hub_folder)
    assert checkpoint.tensors_sha256 == expected
    assert checkpoint.ignored == ()


def test_torch_s_own_wrapper_is_taken_off(tmp_path):
    operator = nn.Module()
    for name, shape in {"A_log": (3,), "D": (4,), "redshift_scale": ()}.items():
        operator.register_parameter(name, nn.Parameter(torch.ones(shape)))
    operator.dt_proj, operator.B_proj, operator.C_proj = nn.Linear(4, 4), nn.Linear(4, 3), nn.Linear(4, 3)
    operator.init_estimator = nn.Linear(8, 12)
    torch.save(operator.state_dict(), tmp_path / "plain.pt")
    torch.save(nn.DataParallel(operator).state_dict(), tmp_path / "wrapped.pt")
    assert all(name.startswith("module.") for name in torch.load(tmp_path / "wrapped.pt"))
    plain, wrapped = (read_checkpoint(tmp_path / f"{name}.pt") for name in ("plain", "wrapped"))
    assert plain.tensors_sha256 == wrapped.tensors_sha256


def test_a_prefix_that_no_wrapper_has_is_named_with_the_remedy(hub_folder, weights):
    tensors = prefixed(weights, "net.encoder.") | {"criterion.weight": torch.ones(2)}
    torch.save(tensors, hub_folder / "pytorch_model.bin")
    message = failure(hub_folder, TensorError)
    assert "has no tensor embedding.weight; there is encoder.backbone.embeddings.weight" in message
    assert "take 'encoder.' off the names of all tensors" in message


def test_two_models_in_a_file_and_two_tensors_of_one_name_are_refused(hub_folder, weights):
    torch.save({"state_dict": weights, "model": weights}, hub_folder / "pytorch_model.bin")
    assert "both state_dict and model" in failure(hub_folder, CheckpointError)
    torch.save(weights | prefixed(weights, "_orig_mod."), hub_folder / "pytorch_model.bin")
    assert "twice" in failure(hub_folder, TensorError)


def test_tensors_that_are_no_part_of_the_model_are_listed(hub_folder, weights):
    content = {
        "state_dict": weights | {"score.weight": torch.ones(2)},
        "ema": {"backbone.norm_f.weight": torch.ones(8), "decay": 0.9},
        "loss_scale": torch.ones(()),
    }
    torch.save(content, hub_folder / "pytorch_model.bin")
    assert read_checkpoint(hub_folder).ignored == ("score.weight", "loss_scale", "ema.backbone.norm_f.weight")


def test_an_unknown_tensor_inside_the_backbone_is_refused(hub_folder, weights):
    torch.save(weights | {"backbone.gate.weight": torch.ones(2)}, hub_folder / "pytorch_model.bin")
    assert "tensor gate.weight has no place in a mamba model" in failure(hub_folder, TensorError)


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.backbone.layers.0.mixer.in_proj.lora_A.default.weight",
        "layers.0.mixer.in_proj.lora_magnitude_vector.weight",
        "backbone.embeddings.lora_embedding_B",
        "backbone.layers.0.mixer.in_proj.base_layer.weight",
        "backbone.layers.0.mixer.x_proj.ia3_l.default",
        "backbone.layers.0.mixer.x_proj.hada_w1_a",
        "backbone.layers.0.mixer.x_proj.oft_r.default",
        "backbone.norm_f.modules_to_save.default.weight",
        "prompt_encoder.default.embedding.weight",
    ],
)
def test_an_adapter_among_the_weights_is_refused_with_the_remedy(hub_folder, weights, name):
    save_file(weights | {name: torch.ones(2, 2)}, hub_folder / "model.safetensors", {"format": "pt"})
    message = failure(hub_folder, UnsupportedArchitectureError)
    assert name in message
    assert "merge_and_unload" in message


def test_an_adapter_in_another_entry_of_the_file_is_refused(hub_folder, weights):
    torch.save({"state_dict": weights, "adapter": LORA}, hub_folder / "pytorch_model.bin")
    assert "merge_and_unload" in failure(hub_folder, UnsupportedArchitectureError)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_beside_the_weights_or_alone_is_refused(hub_folder, name):
    (hub_folder / name).write_text("{}")
    message = failure(hub_folder, UnsupportedArchitectureError)
    assert name in message
    assert "merge_and_unload" in message
    alone = hub_folder / "alone"
    alone.mkdir()
    shutil.copy(hub_folder / name, alone)
    assert "merge_and_unload" in failure(alone, UnsupportedArchitectureError)


def test_an_adapter_in_our_own_format_is_refused(tmp_path):
    save_file(LORA, tmp_path / "model.safetensors", {"architecture": "mamba", "config": json.dumps({"d_model": 6})})
    assert "merge_and_unload" in failure(tmp_path / "model.safetensors", UnsupportedArchitectureError)


def test_a_name_without_end_is_not_printed(hub_folder, weights):
    torch.save(weights | {"x" * 100_000: torch.ones(1)}, hub_folder / "pytorch_model.bin")
    message = failure(hub_folder, TensorError)
    assert "whose name has 100,000 characters" in message
    assert len(message) < 500


def test_layers_without_end_are_refused_before_a_model_is_made(hub_folder, weights):
    many = {f"backbone.layers.{i}.norm.weight": torch.ones(1) for i in range(1_001)}
    save_file(weights | many, hub_folder / "model.safetensors")
    edit_json(hub_folder / "config.json", num_hidden_layers=1_001)
    assert "tensors of 1,001 layers; at most 1,000" in failure(hub_folder, TensorError)

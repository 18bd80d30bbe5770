"""Every way in which a checkpoint can be wrong is one line that names the file, what is wrong, and a remedy."""

import os
import pickle
from dataclasses import asdict

import pytest
import torch

from pgf_cli.checkpoints import (
    AlphabetError,
    CheckpointError,
    CheckpointNotFoundError,
    MissingTensorError,
    TensorError,
    UnsafeCheckpointError,
    UnsupportedArchitectureError,
    read_checkpoint,
    save_checkpoint,
)
from pgf_cli.core.models import BaseIds

BASE_IDS = BaseIds(0, 1, 2, 3, 4)


class Trap:
    """An object whose loading, done carelessly, would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def parts(config, tensors):
    settings = asdict(config) | {"alphabet": {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}}
    return {"architecture": "mamba", "config": settings, "state_dict": dict(tensors)}


def failure(path, kind=CheckpointError, alphabet=None):
    with pytest.raises(kind) as caught:
        read_checkpoint(path, alphabet)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def failure_of(parts, tmp_path, kind=CheckpointError):
    path = tmp_path / "model.pt"
    torch.save(parts, path)
    return failure(path, kind)


def test_the_untouched_parts_are_accepted(parts, tmp_path):
    torch.save(parts, tmp_path / "model.pt")
    assert read_checkpoint(tmp_path / "model.pt").base_ids == BASE_IDS


def save_trap_plainly(protocol):
    def save(content, path):
        path.write_bytes(pickle.dumps(content, protocol=protocol))

    return save


def save_trap_in_old_torch_format(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


TRAPS = [torch.save, save_trap_in_old_torch_format, *(save_trap_plainly(protocol) for protocol in (0, 1, 2, 3, 4, 5))]


@pytest.mark.parametrize("save", TRAPS)
@pytest.mark.parametrize("where", ["architecture", "config", "state_dict"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(parts, tmp_path, save, where):
    created = tmp_path / "created"
    path = tmp_path / "model.pt"
    save(parts | {where: Trap(created)} if save is torch.save else {where: Trap(created)}, path)
    message = failure(path, UnsafeCheckpointError)
    assert f"{os.mkdir.__module__}.mkdir" in message
    assert not created.exists()
    # The trap does work: torch.load without our care would have sprung it.
    if save is torch.save:
        torch.load(path, weights_only=False)
        assert created.exists()


def test_a_whole_pickled_module_is_refused_by_the_name_of_its_class(tmp_path):
    message = failure_of(torch.nn.Linear(2, 2), tmp_path, UnsafeCheckpointError)
    assert "torch.nn.modules.linear.Linear" in message
    assert "state_dict()" in message


def test_a_path_that_does_not_exist(tmp_path):
    assert "no such checkpoint" in failure(tmp_path / "none.pt", CheckpointNotFoundError)
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none.pt")
    (tmp_path / "file").write_text("x")
    failure(tmp_path / "file" / "below.pt", CheckpointNotFoundError)


def test_a_folder_without_config(tmp_path):
    assert "without config.json" in failure(tmp_path, CheckpointNotFoundError)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors", "model.txt"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (">chr1\nACGT\n", "is a text file ('>chr1')"),
        # Begins like a pickle that asks for a name: it must not be taken for one.
        ("config\nfile\n", "is a text file ('config')"),
        ("", "is empty"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named_for_what_it_is(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    assert expected in failure(tmp_path / name)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_short(tmp_path, config, tensors, suffix, kept):
    path = tmp_path / f"model{suffix}"
    save_checkpoint(path, config, tensors, BASE_IDS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert "cut short" in failure(path)


def test_a_file_of_the_hub_alone_points_to_its_folder(hub_folder):
    for name in ("model.safetensors", "config.json"):
        assert f"give its folder, {hub_folder}" in failure(hub_folder / name)


def test_an_unknown_architecture_is_named_with_what_is_supported(parts, tmp_path):
    message = failure_of(parts | {"architecture": "hyena"}, tmp_path, UnsupportedArchitectureError)
    assert "'hyena'" in message
    assert "supported in this format: 'mamba'" in message


def test_a_bare_state_dict_and_extra_entries(parts, tmp_path):
    others = {"encoder.weight": torch.zeros(3)}
    assert "has no architecture and config beside its tensors" in failure_of(others, tmp_path)
    assert "also holds 'optimizer'" in failure_of(parts | {"optimizer": {}}, tmp_path)
    assert "state_dict holds a list" in failure_of(parts | {"state_dict": [1]}, tmp_path)
    assert "config is a list" in failure_of(parts | {"config": [1]}, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "embedding.weight",
        "layers.0.mixer.A_log",
        "layers.0.mixer.dt_proj.weight",
        "layers.1.mixer.dt_proj.bias",
        "norm_f.weight",
    ],
)
def test_a_missing_tensor_is_named(parts, tmp_path, name):
    del parts["state_dict"][name]
    assert f"has no tensor {name};" in failure_of(parts, tmp_path, MissingTensorError)


def test_a_missing_layer_is_named(parts, tmp_path):
    rest = {name: tensor for name, tensor in parts["state_dict"].items() if not name.startswith("layers.0.mixer.x")}
    moved = {name.replace("layers.1.", "layers.7."): tensor for name, tensor in rest.items()}
    message = failure_of(parts | {"state_dict": moved}, tmp_path, MissingTensorError)
    assert "layers.1." in message


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("layers.1.mixer.x_proj.weight", (8, 9), "has shape (8, 9), expected (8, 10)"),
        ("layers.0.mixer.conv1d.bias", (10, 1), "has shape (10, 1), expected (10,)"),
        ("norm_f.weight", (), "has shape (), expected (6,)"),
        ("layers.0.mixer.A_log", (10,), "has shape (10,), expected 2 dimensions"),
        ("embedding.weight", (0, 6), "has shape (0, 6), expected 2 dimensions, none of them empty"),
        ("embedding.weight", (5, 7), "d_model = 6, but in"),
    ],
)
def test_a_misshapen_tensor_is_named_with_both_shapes(parts, tmp_path, name, shape, expected):
    parts["state_dict"][name] = torch.zeros(shape)
    message = failure_of(parts, tmp_path)
    assert name in message
    assert expected in message


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (torch.zeros(6, dtype=torch.int64), "holds int64, not floating-point numbers"),
        (torch.zeros(6, dtype=torch.complex64), "holds complex64"),
        (torch.tensor([1.0, float("nan"), 1, 1, 1, float("inf")]), "NaN or infinity in 2 of 6 values"),
        (torch.zeros(6).to_sparse(), "sparse"),
        (torch.zeros(6, device="meta"), "empty of values"),
        (3.0, "is a float, not a tensor"),
    ],
)
def test_a_tensor_without_usable_numbers_is_named(parts, tmp_path, tensor, expected):
    parts["state_dict"]["norm_f.weight"] = tensor
    message = failure_of(parts, tmp_path, TensorError)
    assert "norm_f.weight" in message
    assert expected in message


def test_a_tensor_of_another_family_is_refused_and_one_outside_the_model_recorded(parts, tmp_path):
    parts["state_dict"]["score.weight"] = torch.zeros(2, 6)
    torch.save(parts, tmp_path / "model.pt")
    assert read_checkpoint(tmp_path / "model.pt").ignored == ("score.weight",)
    for name in ("layers.0.norm.bias", "layers.1.mixer.dt_bias", "norm_f.bias", "lm_head.bias"):
        foreign = parts | {"state_dict": parts["state_dict"] | {name: torch.zeros(6)}}
        assert f"tensor {name} has no place" in failure_of(foreign, tmp_path, TensorError)


def test_a_name_in_a_file_cannot_break_the_line_or_steer_the_terminal(parts, tmp_path):
    parts["state_dict"]["layers.0.\n\x1b[2J"] = torch.zeros(6)
    assert "tensor layers.0.??[2J has no place" in failure_of(parts, tmp_path, TensorError)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("d_model", None, "config has no d_model"),
        ("d_model", 7, "d_model = 7, but in"),
        ("n_layer", 3, "the tensors make it 2"),
        ("n_layer", 10**12, "n_layer is 1000000000000; it must be a whole number from 1 to 1,000,000,000"),
        ("d_inner", "10", "d_inner is '10'; it must be a whole number"),
        ("d_state", 3.0, "d_state is 3.0; it must be a whole number"),
        ("d_conv", True, "d_conv is True; it must be a whole number"),
        ("dt_rank", 0, "dt_rank is 0; it must be a whole number"),
        ("vocab_size", -5, "vocab_size is -5; it must be a whole number"),
        ("norm_eps", float("nan"), "norm_eps is nan; it must be a positive number"),
        ("norm_eps", "1e-5", "norm_eps is '1e-5'"),
        ("tied", 1, "tied is 1; it must be true or false"),
        ("expand", 2, "unknown field 'expand'; known: d_model"),
        ("note", 5, "note is 5; it must be a text"),
    ],
)
def test_a_wrong_or_missing_field_of_the_config_is_named(parts, tmp_path, field, value, expected):
    if value is None:
        del parts["config"][field]
    else:
        parts["config"][field] = value
    assert expected in failure_of(parts, tmp_path)


def test_a_config_without_alphabet_asks_for_the_option(parts, tmp_path):
    del parts["config"]["alphabet"]
    assert "--alphabet A=7,C=8" in failure_of(parts, tmp_path, AlphabetError)
    assert read_checkpoint(tmp_path / "model.pt", "A=0,C=1,G=2,T=3").base_ids == BaseIds(0, 1, 2, 3, None)


def test_broken_json_in_the_metadata_is_said_where(tmp_path, tensors):
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file(tensors, path, {"architecture": "mamba", "config": "{"})
    assert f"{path}: config is not valid JSON" in failure(path)
    save_file(tensors, path, {"architecture": "mamba", "config": "[1]"})
    assert "config holds a JSON list" in failure(path)
    save_file(tensors, path, {"architecture": "mamba"})
    assert "has no config beside its tensors" in failure(path)

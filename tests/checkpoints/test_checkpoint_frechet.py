"""The paper's operator; expectations are written by hand from the parameters of its published code."""

import pytest
import torch
from safetensors.torch import save_file

from pgf_cli.checkpoints import CheckpointError, MissingTensorError, TensorError, read_checkpoint, save_checkpoint
from pgf_cli.core.models import FrechetConfig
from pgf_cli.errors import UsageError

CPU = torch.device("cpu")
COLUMNS = {"A": 0, "C": 1, "G": 2, "T": 3}


def state_dict(d_model, d_state=3, window=3, embedded=True, bias=True):
    D, N = d_model, d_state
    shapes = {
        "A_log": (N,), "D": (D,), "redshift_scale": (),
        "dt_proj.weight": (D, D), "B_proj.weight": (N, D), "C_proj.weight": (N, D),
        "init_estimator.weight": (D * N, D * window), "init_estimator.bias": (D * N,),
    }  # fmt: skip
    if bias:
        shapes |= {"dt_proj.bias": (D,), "B_proj.bias": (N,), "C_proj.bias": (N,)}
    if embedded:
        shapes["embed.weight"] = (4, D)
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def write(path, tensors):
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return path


def failure(path, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.bin", "model.safetensors"])
def test_a_bare_state_dict_is_known_by_its_keys_in_every_kind_of_file(tmp_path, name):
    tensors = state_dict(6)
    path = write(tmp_path / name, tensors | {"probe.weight": torch.zeros(2)})
    checkpoint = read_checkpoint(path)
    assert checkpoint.config == FrechetConfig(d_model=6, d_state=3, window=3, embedded=True, projection_bias=True)
    assert (checkpoint.architecture, checkpoint.layout) == ("frechet", "the paper's state dict")
    assert (checkpoint.base_ids, checkpoint.alphabet, checkpoint.note) == (None, COLUMNS, None)
    assert (checkpoint.files, checkpoint.ignored) == ((path,), ("probe.weight",))
    assert_same_bits(checkpoint.tensors, tensors)
    assert_same_bits(checkpoint.build(None, torch.float32, CPU).state_dict(), tensors)


@pytest.mark.parametrize(
    "sizes",
    [
        {"d_model": 4, "d_state": 1, "window": 1, "embedded": False},
        {"d_model": 4, "d_state": 5, "window": 2, "embedded": True},
        {"d_model": 9, "d_state": 2, "window": 4, "embedded": True, "bias": False},
    ],
)
def test_every_size_is_read_off_the_tensors(tmp_path, sizes):
    path = write(tmp_path / "model.pt", state_dict(**sizes))
    bias = sizes.pop("bias", True)
    assert read_checkpoint(path).config == FrechetConfig(**sizes, projection_bias=bias)


def test_only_four_channels_can_take_the_one_hot_itself(tmp_path):
    path = write(tmp_path / "model.pt", state_dict(5, embedded=False))
    assert "has no tensor embed.weight; an operator of 5 channels" in failure(path, MissingTensorError)


@pytest.mark.parametrize("name", sorted(state_dict(4, embedded=False).keys()))
def test_a_missing_tensor_is_named(tmp_path, name):
    tensors = state_dict(4, embedded=False)
    del tensors[name]
    assert f"has no tensor {name};" in failure(write(tmp_path / "model.pt", tensors), MissingTensorError)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("init_estimator.weight", (18, 20), "init_estimator.weight has 20 columns, expected a multiple of the 6"),
        ("init_estimator.weight", (12, 18), "init_estimator.weight has shape (12, 18), expected (18, 18)"),
        ("A_log", (6, 3), "A_log has shape (6, 3), expected 1 dimensions"),
        ("embed.weight", (5, 6), "embed.weight has shape (5, 6), expected (4, 6)"),
        ("redshift_scale", (1,), "redshift_scale has shape (1,), expected ()"),
    ],
)
def test_a_misshapen_tensor_is_named(tmp_path, name, shape, expected):
    path = write(tmp_path / "model.pt", state_dict(6) | {name: torch.zeros(shape)})
    assert expected in failure(path, TensorError)


def test_a_tensor_without_usable_numbers_and_an_entry_that_is_no_tensor_are_named(tmp_path):
    diverged = write(tmp_path / "nan.pt", state_dict(6) | {"A_log": torch.full((3,), torch.nan)})
    assert "A_log holds NaN" in failure(diverged, TensorError)
    assert "'epoch' is a int" in failure(write(tmp_path / "epoch.pt", state_dict(6) | {"epoch": 3}), TensorError)


@pytest.mark.parametrize("d_model", [4, 6])
def test_a_model_without_tokens_refuses_the_alphabet_and_the_outputs_of_a_head(tmp_path, d_model):
    path = write(tmp_path / "model.pt", state_dict(d_model, embedded=d_model != 4))
    with pytest.raises(UsageError, match=r"^--alphabet: .*model\.pt reads the bases one-hot"):
        read_checkpoint(path, "A=0,C=1,G=2,T=3")
    checkpoint = read_checkpoint(path)
    assert checkpoint.build(None, torch.float32, CPU).output == "hidden"
    for output in ("logprobs", "logits"):
        with pytest.raises(UsageError, match=r"model\.pt has no head; use --output-layer hidden"):
            checkpoint.build(output, torch.float32, CPU)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("embedded", [True, False])
def test_our_own_format_holds_the_operator_too(tmp_path, suffix, embedded):
    tensors = state_dict(4, window=2, embedded=embedded)
    config = FrechetConfig(d_model=4, d_state=3, window=2, embedded=embedded, projection_bias=True)
    path = tmp_path / f"model{suffix}"
    save_checkpoint(path, config, tensors, None, "a note")
    checkpoint = read_checkpoint(path)
    assert (checkpoint.config, checkpoint.layout, checkpoint.note) == (config, "pgf-sensitivity", "a note")
    assert (checkpoint.architecture, checkpoint.base_ids, checkpoint.alphabet) == ("frechet", None, COLUMNS)
    assert_same_bits(checkpoint.tensors, tensors)
    with pytest.raises(UsageError, match=r"^--alphabet"):
        read_checkpoint(path, "A=0,C=1,G=2,T=3")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("d_model", 8, "d_model = 8, but in {path} D makes it 6"),
        ("window", 2, "window = 2, but in {path} init_estimator.weight makes it 3"),
        ("d_state", "3", "d_state is '3'; it must be a whole number"),
        ("embedded", False, "embedded = False, but in {path} the tensors make it True"),
        ("projection_bias", False, "projection_bias = False, but in {path} the tensors make it True"),
        ("alphabet", COLUMNS, "unknown field 'alphabet'; known: d_model"),
    ],
)
def test_a_config_that_contradicts_the_tensors_is_an_error(tmp_path, field, value, expected):
    path = tmp_path / "model.pt"
    config = {"d_model": 6, "d_state": 3, "window": 3, "embedded": True} | {field: value}
    torch.save({"architecture": "frechet", "config": config, "state_dict": state_dict(6)}, path)
    assert expected.format(path=path) in failure(path)


def test_an_embedding_that_the_config_wants_must_be_there(tmp_path):
    path = tmp_path / "model.pt"
    config = {"d_model": 4, "embedded": True}
    torch.save({"architecture": "frechet", "config": config, "state_dict": state_dict(4, embedded=False)}, path)
    assert f"embedded = True, but in {path} the tensors make it False" in failure(path)


def test_converted_weights_do_not_touch_the_file_s(tmp_path):
    checkpoint = read_checkpoint(write(tmp_path / "model.pt", state_dict(6)))
    model = checkpoint.build("hidden", torch.float64, CPU)
    assert model.dtype == torch.float64
    assert checkpoint.tensors["D"].dtype == torch.float32

"""Tensors alone: the folder that they were taken out of says what must come of them."""

import pytest
import torch
from hub_files import TOKENS, make_hub_model
from safetensors.torch import load_file, save_file

from pgf_cli.checkpoints import AlphabetError, CheckpointError, MissingTensorError, read_checkpoint

ALPHABET = "A=4,T=5,C=6,G=7,N=8"


@pytest.fixture
def tensors(hub_folder):
    return load_file(hub_folder / "model.safetensors")


def as_mamba_ssm(tensors):
    named = {name.replace("embeddings", "embedding"): tensor for name, tensor in tensors.items()}
    return named | {"lm_head.weight": named["backbone.embedding.weight"].clone()}


def inside(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


WRITTEN = {
    "safetensors": ("model.safetensors", lambda t: t, save_file),
    "mamba_ssm": ("model.pt", as_mamba_ssm, torch.save),
    "Lightning": ("last.ckpt", lambda t: {"state_dict": inside("model.", t), "epoch": 1}, torch.save),
    "a loss beside it": (
        "last.ckpt",
        lambda t: inside("net.module.", t) | {"loss.weight": torch.ones(2)},
        torch.save,
    ),
    "dictionaries in each other": (
        "model.pth",
        lambda t: {"model": {"state_dict": t}, "optimizer": {"lr": 0.1}},
        torch.save,
    ),
    "a model's state": ("model.bin", lambda t: {"model_state": t, "optimizer_state": {"state": {}}}, torch.save),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_bare_tensors_are_the_model_of_their_folder(hub_folder, tensors, tmp_path, name):
    file, change, save = WRITTEN[name]
    (tmp_path / "alone").mkdir()
    save(change(tensors), tmp_path / "alone" / file)
    found, whole = read_checkpoint(tmp_path / "alone" / file, ALPHABET), read_checkpoint(hub_folder)
    assert (found.config, found.base_ids, found.head) == (whole.config, whole.base_ids, "tied")
    assert found.tensors_sha256 == whole.tensors_sha256
    assert found.layout == "bare tensors"
    assert "norm_eps: it is taken to be 1e-05" in found.note
    assert "tensor " in found.recognised_by
    assert found.ignored == (("loss.weight",) if name == "a loss beside it" else ())


def test_a_backbone_alone_has_no_head_and_one_of_its_own_is_kept(tensors, tmp_path):
    torch.save({name.removeprefix("backbone."): tensor for name, tensor in tensors.items()}, tmp_path / "backbone.pt")
    assert read_checkpoint(tmp_path / "backbone.pt", ALPHABET).head == "none"
    torch.save(tensors | {"lm_head.weight": torch.ones(11, 8)}, tmp_path / "own.pt")
    assert read_checkpoint(tmp_path / "own.pt", ALPHABET).head == "own"
    torch.save(tensors, tmp_path / "tied.pt")
    assert "its head to be its embedding" in read_checkpoint(tmp_path / "tied.pt", ALPHABET).note


def test_what_tensors_do_not_say_is_asked_for_by_name(tensors, tmp_path):
    torch.save(tensors, tmp_path / "model.pt")
    with pytest.raises(AlphabetError, match=r"tensors alone name no tokens, so which .* --alphabet A=7"):
        read_checkpoint(tmp_path / "model.pt")
    assert read_checkpoint(tmp_path / "model.pt", ALPHABET).alphabet["N"] == TOKENS["N"]
    lost = {name: tensor for name, tensor in tensors.items() if not name.endswith("conv1d.bias")}
    torch.save(lost, tmp_path / "model.pt")
    with pytest.raises(MissingTensorError, match=r"has no tensor layers\.0\.mixer\.conv1d\.bias"):
        read_checkpoint(tmp_path / "model.pt", ALPHABET)


def test_a_file_of_a_folder_is_not_read_without_its_settings(hub_folder):
    with pytest.raises(CheckpointError, match=f"give its folder, {hub_folder}"):
        read_checkpoint(hub_folder / "model.safetensors", ALPHABET)


def test_blocks_of_other_kinds_are_not_taken_for_a_mamba(tensors, tmp_path):
    for extra in ("backbone.layers.0.norm.bias", "backbone.layers.1.mixer.dt_bias", "backbone.layers.0.mlp.fc1.weight"):
        torch.save(tensors | {extra: torch.ones(8)}, tmp_path / "model.pt")
        with pytest.raises(CheckpointError):
            read_checkpoint(tmp_path / "model.pt", ALPHABET)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("max_shard_size", ["10GB", "3KB"])
@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_half_precision_is_read_into_the_run_s_format_and_said(tmp_path, dtype, max_shard_size, safe):
    """transformers writes the shards; .bin, which it no longer does, is written here."""
    from hub_files import write_tokenizer

    model = make_hub_model().to(dtype)
    model.save_pretrained(tmp_path, max_shard_size=max_shard_size)
    write_tokenizer(tmp_path)
    if not safe:
        as_bin(tmp_path)
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint.stored_as == (str(dtype).removeprefix("torch."),)
    built = checkpoint.build(None, torch.float64, torch.device("cpu"))
    expected = model.state_dict()["backbone.layers.1.mixer.in_proj.weight"].double()
    assert torch.equal(built.state_dict()["layers.1.mixer.in_proj.weight"], expected)


def as_bin(folder):
    """Rewrite a folder of safetensors, sharded or not, as .bin."""
    index = folder / "model.safetensors.index.json"
    for path in list(folder.glob("model*.safetensors")):
        torch.save(
            load_file(path), folder / path.name.replace("model", "pytorch_model", 1).replace("safetensors", "bin")
        )
        path.unlink()
    if index.exists():
        text = index.read_text().replace('"model-', '"pytorch_model-').replace(".safetensors", ".bin")
        (folder / "pytorch_model.bin.index.json").write_text(text)
        index.unlink()

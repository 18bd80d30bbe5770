"""What was read is what is vouched for; the independent hash is that of the file's bytes by ``hashlib``."""

import hashlib
import os
from dataclasses import replace

import pytest
import torch
from hub_files import edit_json
from safetensors.torch import load_file

from pgf_cli.checkpoints import CheckpointError, read_checkpoint, save_checkpoint
from pgf_cli.core.models import BaseIds
from pgf_cli.inputs import InputError, Inputs

BASE_IDS = BaseIds(0, 1, 2, 3, 4)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_s_hash_is_that_of_its_bytes(tmp_path, config, tensors, suffix):
    path = tmp_path / f"model{suffix}"
    save_checkpoint(path, config, tensors, BASE_IDS)
    (file,) = read_checkpoint(path).inputs
    assert (file.path, file.sha256, file.bytes) == (path, sha256(path), path.stat().st_size)
    assert not file.changed()


def test_every_file_of_a_folder_is_hashed(hub_folder):
    (hub_folder / "tokenizer_config.json").write_text('{"unk_token": "<unk>"}')
    inputs = {file.path.name: file for file in read_checkpoint(hub_folder).inputs}
    assert inputs.keys() == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    for file in inputs.values():
        assert file.sha256 == sha256(file.path)


def test_so_is_every_shard_and_their_index(hub_model, hub_folder):
    (hub_folder / "model.safetensors").unlink()
    hub_model.save_pretrained(hub_folder, max_shard_size="2KB")
    shards = {path.name for path in hub_folder.glob("model*")}
    assert len(shards) > 2
    assert shards < {file.path.name for file in read_checkpoint(hub_folder).inputs}


def rewritten_in_place(path):
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(data[:-1] + bytes([data[-1] ^ 1]))


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def grown(path):
    with path.open("ab") as file:
        file.write(b"x")


def removed(path):
    path.unlink()


@pytest.mark.parametrize("change", [rewritten_in_place, replaced, grown, removed])
def test_a_file_that_changed_later_says_so(tmp_path, config, tensors, change):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, config, tensors, BASE_IDS)
    os.utime(path, (1, 1))
    checkpoint = read_checkpoint(path)
    before = checkpoint.inputs[0].sha256
    change(path)
    assert checkpoint.inputs[0].changed()
    assert checkpoint.inputs[0].sha256 == before


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(bytes(1000))
    os.utime(path, (1, 1))
    inputs = Inputs()

    def read():
        with inputs.opened(path) as file:
            file.read(10)
            rewritten_in_place(path)

    with pytest.raises(InputError, match="changed while it was being read"):
        read()
    assert inputs.files == ()


def test_another_file_renamed_over_one_that_is_read_does_not_lend_it_its_hash(tmp_path):
    path, other = tmp_path / "large", tmp_path / "other"
    path.write_bytes(b"read")
    other.write_bytes(b"never")
    inputs = Inputs()
    with inputs.opened(path) as file:
        assert file.read() == b"read"
        other.replace(path)
    (found,) = inputs.files
    assert found.sha256 == hashlib.sha256(b"read").hexdigest()
    assert found.changed()


def test_a_checkpoint_that_changes_while_it_is_read_is_an_error_of_a_checkpoint(tmp_path, config, tensors, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, config, tensors, BASE_IDS)
    os.utime(path, (1, 1))
    fill = "pgf_cli.checkpoints.safetensors_file.fill"

    def filling(file, tensor):
        os.utime(path)
        return True

    monkeypatch.setattr(fill, filling)
    with pytest.raises(CheckpointError, match=r"model\.safetensors changed while it was being read"):
        read_checkpoint(path)


def test_the_hash_of_the_tensors_does_not_ask_where_they_lay(hub_folder, tmp_path):
    hub = read_checkpoint(hub_folder)
    for name in ("a.pt", "b.safetensors"):
        save_checkpoint(tmp_path / name, hub.config, dict(reversed(hub.tensors.items())), hub.base_ids, "a note")
        assert read_checkpoint(tmp_path / name).tensors_sha256 == hub.tensors_sha256
    torch.save(load_file(hub_folder / "model.safetensors"), hub_folder / "pytorch_model.bin")
    (hub_folder / "model.safetensors").unlink()
    edit_json(hub_folder / "config.json", comment="changed")
    assert read_checkpoint(hub_folder).tensors_sha256 == hub.tensors_sha256


def test_the_hash_of_the_tensors_is_another_for_another_model(tmp_path, config, tensors):
    path = tmp_path / "model.pt"
    save_checkpoint(path, config, tensors, BASE_IDS)
    checkpoint = read_checkpoint(path)
    name = "layers.1.mixer.D"
    bit = tensors[name].clone()
    bit.view(torch.int32)[3] ^= 1
    variants = [
        checkpoint,
        replace(checkpoint, tensors=tensors | {name: bit}),
        replace(checkpoint, tensors=tensors | {name: tensors[name].double()}),
        replace(checkpoint, tensors=tensors | {name: tensors[name].view(2, 5)}),
        replace(checkpoint, tensors=tensors | {name: tensors["layers.0.mixer.dt_proj.bias"]}),
        replace(checkpoint, tensors={name.replace("D", "E"): tensor for name, tensor in tensors.items()}),
        replace(checkpoint, config=replace(config, norm_eps=2e-5)),
    ]
    assert len({variant.tensors_sha256 for variant in variants}) == len(variants)
    assert replace(checkpoint, ignored=("x",)).tensors_sha256 == checkpoint.tensors_sha256

"""What lies where a checkpoint's files should: pipes, devices, numbers and nestings without end; and safetensors."""

import json
import os
import shutil
import socket
import struct
import time

import pytest
import torch
from safetensors.torch import save_file

from pgf_cli.checkpoints import CheckpointError, CheckpointNotFoundError, read_checkpoint
from pgf_cli.checkpoints.safetensors_file import read_safetensors
from pgf_cli.inputs import Inputs

DIGITS = "9" * 5_000


def refusal(path, kind=CheckpointError):
    start = time.process_time(), time.perf_counter()
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    assert time.process_time() - start[0] < 3
    assert time.perf_counter() - start[1] < 30
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 500 + len(str(path))
    return message


def pipe(path):
    os.mkfifo(path)


def listening(path):
    # A socket's path may have some 100 characters, and a temporary folder's has more.
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_RDONLY)
        try:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def folder(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


KINDS = pytest.mark.parametrize(
    ("make", "called"), [(pipe, "a pipe"), (listening, "a socket"), (folder, "a folder"), (device, "a device")]
)


@KINDS
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_what_is_no_file_in_a_folder_is_named(hub_folder, name, make, called):
    (hub_folder / name).unlink(missing_ok=True)
    make(hub_folder / name)
    assert f"{name} is {called}" in refusal(hub_folder)


@pytest.mark.parametrize("make", [pipe, device])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors.index.json"])
def test_so_are_other_forms_of_weights(hub_folder, name, make):
    (hub_folder / "model.safetensors").unlink()
    make(hub_folder / name)
    assert f"{name} is a" in refusal(hub_folder)


@pytest.mark.parametrize(("make", "called"), [(pipe, "a pipe"), (listening, "a socket"), (device, "a device")])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_is_no_file_alone_is_named(tmp_path, suffix, make, called):
    make(tmp_path / f"model{suffix}")
    assert f"model{suffix} is {called}" in refusal(tmp_path / f"model{suffix}")


def test_a_vocabulary_that_is_a_pipe(hub_folder):
    (hub_folder / "tokenizer.json").unlink()
    pipe(hub_folder / "vocab.txt")
    assert "vocab.txt is a pipe" in refusal(hub_folder)


@pytest.mark.parametrize("path", ["/dev/null/x", "a\0b", "x" * 5_000, "\udcff"])
def test_a_path_that_cannot_be(tmp_path, path):
    refusal(tmp_path / path)


JSON = {
    "nested without end": "[" * 200_000,
    "nested and closed": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "a number of 5,000 digits": f'{{"model_type": "mamba", "num_hidden_layers": {DIGITS}}}',
    "another": f'{{"model_type": "mamba", "num_hidden_layers": 1{"0" * 4_000}}}',
    "a negative one": f'{{"model_type": "mamba", "num_hidden_layers": -1{"0" * 4_000}}}',
    "a fraction without end": f'{{"model_type": "mamba", "num_hidden_layers": 3, "layer_norm_epsilon": {DIGITS}e9}}',
    "infinity": '{"model_type": "mamba", "num_hidden_layers": 3, "layer_norm_epsilon": 1e999}',
    "an endless name": f'{{"model_type": "{"x" * 1_000_000}"}}',
    "a name that steers the terminal": '{"model_type": "\\u001b[2J\\nx\\u0000"}',
    "half a letter": '{"model_type": "\\ud800"}',
    "names that are a nest": f'{{"architectures": [{"[" * 500}{"]" * 500}]}}',
    "zero": '{"model_type": "mamba", "num_hidden_layers": 0}',
    "a list": "[]",
    "nothing": "",
}


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
def test_settings_without_bounds_are_one_line(hub_folder, text):
    (hub_folder / "config.json").write_text(text)
    refusal(hub_folder)


def test_settings_larger_than_any_are_not_read(hub_folder):
    with (hub_folder / "config.json").open("r+b") as file:
        file.truncate(1 << 40)
    assert "1,099,511,627,776 bytes" in refusal(hub_folder)


@pytest.mark.parametrize(
    "shard", ["../x.safetensors", "x" * 5_000, "a\0b", "\ud800", "", ".", "..", "\x1b[2J", 5, ["x"], "/etc/passwd"]
)
def test_a_shard_of_an_impossible_name(hub_folder, shard):
    (hub_folder / "model.safetensors").unlink()
    (hub_folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    refusal(hub_folder)


@pytest.mark.parametrize("identifier", [f"1{'0' * 4_000}", "-1", "1.5", '"4"', "true", "null", "[]"])
def test_a_token_that_cannot_be(hub_folder, identifier):
    text = f'{{"model": {{"vocab": {{"A": {identifier}, "C": 1, "G": 2, "T": 3}}}}}}'
    (hub_folder / "tokenizer.json").write_text(text)
    refusal(hub_folder)
    (hub_folder / "tokenizer.json").unlink()
    token = f'{{"added_tokens_decoder": {{"{DIGITS}": {{"content": "A"}}}}}}'
    (hub_folder / "tokenizer_config.json").write_text(token)
    refusal(hub_folder)


def write_safetensors(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


HEADERS = {
    "longer than the file": ({"x": entry()}, bytes(8), 2**63),
    "longer by a byte": ({}, b"", 3),
    "not JSON": (b"{", b"", None),
    "not text": (b"{\xff}", b"", None),
    "nested": (b'{"x":' + b"[" * 100_000, b"", None),
    "a list": ([], b"", None),
    "no offsets": ({"x": {"dtype": "F32", "shape": [2]}}, bytes(8), None),
    "an entry that is none": ({"x": 5}, bytes(8), None),
    "a shape that is none": ({"x": entry() | {"shape": 2}}, bytes(8), None),
    "three offsets": ({"x": entry(offsets=(0, 4, 8))}, bytes(8), None),
    "a negative shape": ({"x": entry(shape=(-2,))}, bytes(8), None),
    "an endless shape": ({"x": entry(shape=(2**62, 2**62))}, bytes(8), None),
    "dimensions without end": ({"x": entry(shape=(1,) * 10_000)}, bytes(4), None),
    "a shape of 5,000 digits": (f'{{"x": {{"dtype": "F32", "shape": [{DIGITS}], "data_offsets": [0, 8]}}}}'.encode(),
                                bytes(8), None),
    "a fraction of a row": ({"x": entry(shape=(2.0,))}, bytes(8), None),
    "true rows": ({"x": entry(shape=(True,), offsets=(0, 4))}, bytes(4), None),
    "more than the file": ({"x": entry(shape=(4,), offsets=(0, 16))}, bytes(8), None),
    "less than the file": ({"x": entry()}, bytes(12), None),
    "over each other": ({"x": entry(), "y": entry()}, bytes(16), None),
    "with a gap": ({"x": entry(), "y": entry(offsets=(12, 20))}, bytes(20), None),
    "backwards": ({"x": entry(offsets=(8, 0))}, bytes(8), None),
    "of another size": ({"x": entry(shape=(3,))}, bytes(8), None),
    "an unknown number format": ({"x": entry(dtype="F1")}, bytes(8), None),
    "a number format that is a list": ({"x": entry(dtype=["F32"])}, bytes(8), None),
    "metadata that are numbers": ({"__metadata__": {"architecture": 1}, "x": entry()}, bytes(8), None),
    "metadata that are a list": ({"__metadata__": [], "x": entry()}, bytes(8), None),
    "a config nested without end": ({"__metadata__": {"architecture": "mamba", "config": '{"a":' * 50_000}}, b"", None),
    "an endless architecture": ({"__metadata__": {"architecture": "x" * 100_000, "config": "{}"}}, b"", None),
}  # fmt: skip


@pytest.mark.parametrize(("header", "data", "length"), HEADERS.values(), ids=HEADERS)
def test_a_safetensors_header_that_cannot_be(tmp_path, header, data, length):
    refusal(write_safetensors(tmp_path / "model.safetensors", header, data, length))


def test_a_safetensors_file_by_hand_and_one_by_the_library_are_read(tmp_path):
    numbers = torch.tensor([1.5, -2.0])
    path = write_safetensors(tmp_path / "a.safetensors", {"x": entry()}, numbers.numpy().tobytes())
    assert torch.equal(read_safetensors(path, Inputs()).tensors["x"], numbers)
    dtypes = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool)
    tensors = {f"t{i}": torch.arange(6).reshape(2, 3).to(dtype) for i, dtype in enumerate(dtypes)}
    tensors |= {"none": torch.zeros(0, 3), "one": torch.tensor(4.0)}
    save_file(tensors, tmp_path / "b.safetensors", {"a": "b"})
    metadata, found = read_safetensors(tmp_path / "b.safetensors", Inputs())
    assert metadata == {"a": "b"}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_missing_shard_is_named(hub_folder):
    (hub_folder / "model.safetensors").unlink()
    (hub_folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "x.safetensors"}}))
    assert "x.safetensors" in refusal(hub_folder, CheckpointNotFoundError)


def test_the_untouched_folder_is_read(hub_folder, tmp_path):
    shutil.copytree(hub_folder, tmp_path / "copy")
    assert read_checkpoint(tmp_path / "copy").architecture == "mamba"

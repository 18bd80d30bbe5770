"""Files of ``torch.save``: the oracle is ``torch.load`` itself; hostile ones are written instruction by instruction."""

import io
import pathlib
import pickle
import pickletools
import struct
import sys
import time
import types
import zipfile
from collections import OrderedDict, defaultdict

import pytest
import torch
from torch import nn

from pgf_cli.checkpoints import CheckpointError, UnsafeCheckpointError, read_checkpoint
from pgf_cli.checkpoints.torch_file import read_torch
from pgf_cli.checkpoints.torch_pickle import Settings
from pgf_cli.inputs import Inputs

FORMATS = pytest.mark.parametrize("archive", [True, False], ids=["zip", "before torch 1.6"])
BASE = torch.arange(24.0).reshape(4, 6)
OPTIMISER = torch.optim.AdamW(nn.Linear(3, 2).parameters())

CONTENTS = {
    "views of one storage": {"whole": BASE, "row": BASE[1], "column": BASE[:, 2], "steps": BASE[::2, 1::3]},
    "a transposed one": {"x": BASE.T, "y": BASE.permute(1, 0)[2:]},
    "no values, no dimensions": {"none": torch.zeros(0, 3), "one": torch.tensor(2.5)},
    "parameters": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict(),
    "a parameter": {"x": nn.Parameter(torch.ones(2))},
    "an optimiser": OPTIMISER.state_dict(),
    "plain values": {
        "a": [1, -2, 2**40, 2**70, 1.5, True, None, "é"],
        "b": (1, (2, 3), ()),
        5: {"c": OrderedDict(d=1)},
    },
    "a list": [torch.ones(2), {"x": torch.zeros(1)}],
    "a size": {"shape": BASE.shape},
    **{
        str(dtype): {"x": torch.ones(3, dtype=dtype)}
        for dtype in (
            torch.float64,
            torch.bfloat16,
            torch.float16,
            torch.int8,
            torch.uint8,
            torch.bool,
            torch.complex64,
        )
    },
}


def assert_same(found, expected):
    if isinstance(expected, torch.Tensor):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected
        assert type(found) is type(expected)


@FORMATS
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_torch_wrote_is_what_torch_reads(tmp_path, content, archive):
    path = tmp_path / "content.pt"
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    assert_same(read_torch(path, Inputs()), torch.load(path, weights_only=True))


@FORMATS
def test_an_optimiser_s_moments_are_read(tmp_path, archive):
    model = nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(3)).sum().backward()
    optimiser.step()
    path = tmp_path / "state.pt"
    torch.save(optimiser.state_dict(), path, _use_new_zipfile_serialization=archive)
    assert_same(read_torch(path, Inputs()), torch.load(path, weights_only=True))


def test_older_protocols_of_pickle_are_read(tmp_path):
    for protocol in range(1, 6):
        path = tmp_path / f"{protocol}.pt"
        torch.save({"x": BASE, "y": [1, "a"]}, path, pickle_protocol=protocol)
        assert_same(read_torch(path, Inputs()), {"x": BASE, "y": [1, "a"]})


def write_archive(path, program, numbers=b"", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("model/data.pkl", program)
        archive.writestr("model/data/0", numbers)
    return path


def refusal(path, kind=CheckpointError):
    start = time.process_time()
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    assert time.process_time() - start < 3
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))
    assert str(path) in message
    return message


def tensor_program(size, stride, offset=0, count=4, dtype="FloatStorage"):
    """A pickle of {"x": a tensor over 4 floats}, by hand."""

    def number(value):
        raw = pickle.encode_long(value)
        return pickle.LONG4 + struct.pack("<i", len(raw)) + raw

    def numbers(values):
        return pickle.MARK + b"".join(map(number, values)) + pickle.TUPLE

    def text(value):
        return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()

    storage = (
        pickle.MARK + text("storage") + f"ctorch\n{dtype}\n".encode() + text("0") + text("cpu") + number(count)
        + pickle.TUPLE + pickle.BINPERSID
    )  # fmt: skip
    arguments = pickle.MARK + storage + number(offset) + numbers(size) + numbers(stride) + pickle.NEWFALSE
    arguments += pickle.EMPTY_DICT + pickle.TUPLE
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + pickle.REDUCE
    return pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + text("x") + rebuilt + pickle.SETITEM + pickle.STOP


def test_the_hand_written_program_is_one_that_torch_reads(tmp_path):
    path = write_archive(tmp_path / "model.pt", tensor_program([2, 2], [2, 1]), torch.arange(4.0).numpy().tobytes())
    assert_same(read_torch(path, Inputs()), {"x": torch.arange(4.0).reshape(2, 2)})


@pytest.mark.parametrize(
    ("size", "stride", "offset", "count"),
    [
        ([2**40], [0], 0, 4),
        ([2**20, 2**20], [0, 0], 0, 4),
        ([5], [1], 0, 4),
        ([2], [1], 3, 4),
        ([2], [-1], 1, 4),
        ([1], [1], -1, 4),
        ([-1], [1], 0, 4),
        ([2], [2**62], 0, 4),
        ([2**62], [2**62], 0, 4),
        ([2**100], [1], 0, 4),
        ([2, 2], [1], 0, 4),
        ([1] * 100_000, [1] * 100_000, 0, 4),
        ([4], [1], 0, 2**40),
        ([4], [1], 0, 2**62),
        ([4], [1], 0, -4),
    ],
)
def test_a_tensor_larger_than_its_numbers_is_refused(tmp_path, size, stride, offset, count):
    program = tensor_program(size, stride, offset, count)
    assert "is damaged" in refusal(write_archive(tmp_path / "model.pt", program, bytes(16)))


def test_storages_of_the_older_format_larger_than_the_file_are_refused(tmp_path):
    content = io.BytesIO()
    torch.save({"x": torch.zeros(4)}, content, _use_new_zipfile_serialization=False)
    small, huge = (struct.pack("<BB", ord("K"), 4), b"\x8a\x06" + (2**40).to_bytes(6, "little"))
    data = content.getvalue()
    at = data.index(b"cpu") + 3
    spot = data.index(small, at)
    (tmp_path / "model.pt").write_bytes(data[:spot] + huge + data[spot + 2 :])
    assert "larger than the file" in refusal(tmp_path / "model.pt")


def test_a_packed_archive_is_refused_whatever_it_would_unpack_to(tmp_path):
    program = tensor_program([2**24], [1], 0, 2**24)
    path = write_archive(tmp_path / "model.pt", program, bytes(2**26), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    assert "it is packed" in refusal(path)


def test_parts_of_an_archive_that_lie_over_each_other_are_refused(tmp_path):
    path = write_archive(tmp_path / "model.pt", tensor_program([4], [1]), bytes(16))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    # Sizes in the central directory, of both parts together more than the file.
    data[entry + 20 : entry + 28] = struct.pack("<II", len(data), len(data))
    path.write_bytes(data)
    assert "is damaged" in refusal(path)


def test_changed_numbers_are_found_by_their_check_sum(tmp_path):
    path = write_archive(tmp_path / "model.pt", tensor_program([4], [1]), bytes(16))
    data = path.read_bytes()
    at = data.index(bytes(16))
    path.write_bytes(data[:at] + b"\x01" + data[at + 1 :])
    assert "check sum" in refusal(path)


PROTO = pickle.PROTO + b"\x04"
HOSTILE = {
    "keys nested too deep to hash": PROTO + b"})" + b"\x85" * 500_000 + b"K\x01s.",
    "values nested deep": PROTO + b"}K\x01)" + b"\x85" * 500_000 + b"s.",
    "5,000 digits": b"L" + b"9" * 5_000 + b"L\n.",
    "a number of 2 MB": PROTO + b"\x8b" + struct.pack("<i", 2**21) + b"\x7f" * 2**21 + b".",
    "a text said to be endless": PROTO + b"\x8d" + struct.pack("<Q", 2**60) + b"x.",
    "bytes said to be endless": PROTO + b"\x96" + struct.pack("<Q", 2**40) + b"x.",
    "a memo far away": PROTO + b"}r\xff\xff\xff\x7f.",
    "a memo that is not there": PROTO + b"h\x05.",
    "an empty stack": PROTO + b"0.",
    "no end": PROTO + b"}",
    "too many steps": PROTO + b"]" + b"K\x010" * 700_000 + b".",
    "a mark that is not there": PROTO + b"t.",
    "a call of a number": PROTO + b"K\x01)R.",
    "a call with too much": PROTO + b"ccollections\nOrderedDict\n" + b"K\x01\x85R.",
    "a changed number": PROTO + b"K\x01}b.",
    "a set": PROTO + b"\x8f.",
    "a name that is not known by its number": PROTO + b"\x82\x05.",
    "half of a pair": PROTO + b"}(K\x01u.",
}


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("archive", [True, False], ids=["zip", "plain"])
def test_a_hostile_pickle_is_one_line(tmp_path, program, archive):
    path = tmp_path / "model.pt"
    write_archive(path, program) if archive else path.write_bytes(program)
    refusal(path)


def test_a_pickle_longer_than_any_model_s_is_refused(tmp_path):
    text = b"x" * (5 << 20)
    program = PROTO + b"}X" + struct.pack("<I", len(text)) + text + b"K\x01s."
    assert "has 5,24" in refusal(write_archive(tmp_path / "model.pt", program))


def test_a_tensor_cannot_be_changed_after_it_was_checked(tmp_path):
    """``Tensor.__setstate__`` would set sizes that nobody checked."""
    tensor = tensor_program([4], [1])
    changed = tensor[: -len(pickle.SETITEM + pickle.STOP)] + b"(K\x00K\x00K\x00K\x00tb" + b"s."
    pickletools.dis(changed, io.StringIO())
    assert "it fills a Tensor like a dictionary" in refusal(write_archive(tmp_path / "model.pt", changed, bytes(16)))


@pytest.mark.parametrize(
    "name", ["os\nsystem", "builtins\neval", "torch\nload", "torch._utils\n_import_dotted_name", "torch\nTensor"]
)
def test_a_name_is_refused_even_if_nothing_calls_it(tmp_path, name):
    program = PROTO + b"}X\x01\x00\x00\x00xc" + name.encode() + b"\ns."
    assert name.replace("\n", ".") in refusal(write_archive(tmp_path / "model.pt", program), UnsafeCheckpointError)


class Lightning:
    """What Lightning writes where a training's settings are omegaconf's: objects of classes that pickle names."""

    def __init__(self, monkeypatch, **content):
        module = types.ModuleType("omegaconf.dictconfig")
        self.kind = type("DictConfig", (dict,), {"__module__": module.__name__})
        module.DictConfig = self.kind
        monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        config = self.kind(content)
        config.flags = defaultdict(dict, {"readonly": {}})
        self.checkpoint = {"state_dict": {"x": BASE}, "hyper_parameters": config, "hparams_type": self.kind}


@FORMATS
def test_settings_of_a_training_are_stepped_over_and_the_tensors_are_read(tmp_path, monkeypatch, archive):
    content = Lightning(monkeypatch, d_model=3, path=pathlib.PosixPath("/data"), kind=int).checkpoint
    path = tmp_path / "last.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    found = read_torch(path, Inputs())
    assert_same(found["state_dict"], {"x": BASE})
    assert isinstance(found["hyper_parameters"], Settings)


def test_nothing_is_called_in_settings_and_none_is_a_tensor(tmp_path):
    """The arguments of a settings class are read like everything else: what they would call is refused."""
    call = b"comegaconf.dictconfig\nDictConfig\ncos\nsystem\nX\x01\x00\x00\x00x\x85R\x85R"
    path = write_archive(tmp_path / "model.pt", PROTO + b"}X\x01\x00\x00\x00x" + call + b"s.")
    assert "os.system" in refusal(path, UnsafeCheckpointError)
    path = write_archive(tmp_path / "model.pt", PROTO + b"}X\x01\x00\x00\x00xcomegaconf\nDictConfig\ns.")
    refusal(path)
    path = write_archive(tmp_path / "model.pt", PROTO + b"}X\x01\x00\x00\x00xccollections\nOrderedDict\n)\x81s.")
    assert "it makes an object of what is no class" in refusal(path)


def test_a_name_without_end_is_not_printed(tmp_path):
    program = PROTO + b"}X\x01\x00\x00\x00xcos\n" + b"a" * 100_000 + b"\ns."
    assert "os.aaa" in refusal(write_archive(tmp_path / "model.pt", program), UnsafeCheckpointError)

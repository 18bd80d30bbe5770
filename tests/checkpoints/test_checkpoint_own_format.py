"""Our own format, there and back; the independent readers are torch and safetensors themselves."""

import json
import runpy
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pgf_cli.checkpoints import CheckpointError, read_checkpoint, save_checkpoint
from pgf_cli.core.models import BaseIds, MambaConfig
from pgf_cli.errors import UsageError

SUFFIXES = pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
BASE_IDS = BaseIds(3, 1, 0, 2, None)
CPU = torch.device("cpu")


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name].view(torch.uint8), tensor.contiguous().view(torch.uint8)), name


@SUFFIXES
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_what_was_saved_is_read_back_bit_for_bit(tmp_path, config, tensors, suffix, dtype):
    config = replace(config, norm_eps=3e-6)
    stored = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    path = tmp_path / f"model{suffix}"
    save_checkpoint(path, config, stored, BASE_IDS, "a note")
    checkpoint = read_checkpoint(path)
    assert_same_bits(checkpoint.tensors, stored)
    assert (checkpoint.config, checkpoint.base_ids, checkpoint.note) == (config, BASE_IDS, "a note")
    assert (checkpoint.path, checkpoint.files) == (path, (path,))
    assert (checkpoint.layout, checkpoint.architecture) == ("pgf-sensitivity", "mamba")
    assert (checkpoint.alphabet_source, checkpoint.ignored) == ("config", ())


def test_pt_holds_the_three_documented_entries_and_no_more(tmp_path, config, tensors):
    save_checkpoint(tmp_path / "model.pt", config, tensors, BaseIds(0, 1, 2, 3, 4))
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert content.keys() == {"architecture", "config", "state_dict"}
    # What came later than the format is said only where it is not the default.
    later = {"labels", "pools_last", "layer_norm", "one_hot"}
    said = {name: value for name, value in asdict(config).items() if name not in later}
    assert content["config"] == said | {"alphabet": {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}}
    assert_same_bits(content["state_dict"], tensors)


def test_safetensors_with_our_header_is_read_by_the_format_s_own_library(tmp_path, config, tensors):
    save_checkpoint(tmp_path / "model.safetensors", config, tensors, BASE_IDS)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        names = file.keys()
        assert_same_bits({name: file.get_tensor(name) for name in names}, tensors)
        assert file.metadata().keys() == {"architecture", "config"}


@SUFFIXES
def test_the_same_model_gives_the_same_bytes_whatever_the_file_is_called(tmp_path, config, tensors, suffix):
    # The safetensors library orders metadata at random: 12 equal files by chance are one in 2,048.
    paths = [tmp_path / f"{i}{suffix}" for i in range(12)]
    for path in paths:
        save_checkpoint(path, config, tensors, BASE_IDS)
    assert len({path.read_bytes() for path in paths}) == 1


@SUFFIXES
def test_a_view_is_saved_without_the_storage_behind_it(tmp_path, config, tensors, suffix):
    wide = tensors | {"norm_f.weight": torch.zeros(1_000_000)[: config.d_model]}
    save_checkpoint(tmp_path / f"model{suffix}", config, wide, BASE_IDS)
    assert (tmp_path / f"model{suffix}").stat().st_size < 100_000


@SUFFIXES
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, config, tensors, suffix, monkeypatch):
    path = tmp_path / f"model{suffix}"
    save_checkpoint(path, config, tensors, BASE_IDS)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(CheckpointError, match=r"model\.\w+ cannot be written: No space left"):
        save_checkpoint(path, config, tensors, BASE_IDS, "changed")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_refuses_other_suffixes_and_missing_folders(tmp_path, config, tensors):
    with pytest.raises(CheckpointError, match=r"must end in \.safetensors or \.pt"):
        save_checkpoint(tmp_path / "model.bin", config, tensors, BASE_IDS)
    with pytest.raises(CheckpointError, match="cannot be written: No such file or directory"):
        save_checkpoint(tmp_path / "none" / "model.pt", config, tensors, BASE_IDS)


@pytest.fixture
def checkpoint(tmp_path, config, tensors):
    save_checkpoint(tmp_path / "model.pt", config, tensors, BASE_IDS)
    return read_checkpoint(tmp_path / "model.pt")


def test_build_gives_the_file_s_weights_in_the_asked_format_without_gradients(checkpoint, tensors):
    model = checkpoint.build(None, torch.float64, CPU)
    assert_same_bits(model.state_dict(), {name: tensor.double() for name, tensor in tensors.items()})
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert (model.output, model.base_ids) == ("logprobs", BASE_IDS)


def test_a_model_without_a_head_gives_hidden_and_refuses_what_needs_one(checkpoint):
    headless = replace(checkpoint, config=replace(checkpoint.config, head=False))
    assert headless.build(None, torch.float32, CPU).output == "hidden"
    with pytest.raises(UsageError, match=r"model\.pt has no head; use --output-layer hidden"):
        headless.build("logprobs", torch.float32, CPU)


def test_the_alphabet_option_beats_the_config(tmp_path, config, tensors):
    save_checkpoint(tmp_path / "model.pt", config, tensors, BASE_IDS)
    checkpoint = read_checkpoint(tmp_path / "model.pt", "A=0,C=1,G=2,T=3,N=4")
    assert checkpoint.base_ids == BaseIds(0, 1, 2, 3, 4)
    assert checkpoint.alphabet_source == "--alphabet"


def test_an_untied_head_is_read_and_a_tied_one_is_not_accepted_twice(tmp_path, config, tensors):
    head = torch.ones(config.vocab_size, config.d_model)
    untied = replace(config, tied=False)
    save_checkpoint(tmp_path / "untied.pt", untied, tensors | {"lm_head.weight": head}, BASE_IDS)
    model = read_checkpoint(tmp_path / "untied.pt").build("logits", torch.float32, CPU)
    assert torch.equal(model.head_weight, head)
    save_checkpoint(tmp_path / "tied.pt", config, tensors | {"lm_head.weight": head}, BASE_IDS)
    with pytest.raises(CheckpointError, match=r"tensor lm_head\.weight has no place"):
        read_checkpoint(tmp_path / "tied.pt")


FORMER = {
    "d_model": "channels",
    "n_layer": "layers",
    "d_inner": "inner",
    "d_state": "state",
    "d_conv": "conv",
    "vocab_size": "vocab",
}
"""What version 0.1 called the sizes."""


def in_former_names(config):
    return {FORMER.get(name, name): value for name, value in asdict(config).items()} | {
        "alphabet": {"A": 3, "C": 1, "G": 0, "T": 2}
    }


@SUFFIXES
def test_a_file_of_an_earlier_version_is_read_and_written_with_the_new_names(tmp_path, config, tensors, suffix):
    path, again = tmp_path / f"old{suffix}", tmp_path / f"new{suffix}"
    former = in_former_names(config)
    assert {"channels", "layers", "inner", "state", "conv", "vocab"} < former.keys()
    if suffix == ".pt":
        torch.save({"architecture": "mamba", "config": former, "state_dict": tensors}, path)
    else:
        save_file(tensors, path, {"architecture": "mamba", "config": json.dumps(former)})
    old = read_checkpoint(path)
    assert (old.config, old.base_ids) == (config, BASE_IDS)
    save_checkpoint(again, old.config, old.tensors, old.base_ids)
    new = read_checkpoint(again)
    assert (new.config, new.tensors_sha256) == (config, old.tensors_sha256)
    assert b"d_model" in again.read_bytes()
    assert b"channels" not in again.read_bytes()


def test_a_former_name_is_the_one_in_messages_and_never_stands_beside_the_new_one(tmp_path, config, tensors):
    path = tmp_path / "old.pt"
    for changes, expected in (
        ({"channels": 7}, "config says channels = 7, but in"),
        ({"state": "3"}, "state is '3'; it must be a whole number"),
        ({"d_model": 6}, "config has both d_model and channels, its former name; keep one"),
    ):
        former = in_former_names(config) | changes
        torch.save({"architecture": "mamba", "config": former, "state_dict": tensors}, path)
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(path)
        assert expected in str(caught.value)


def test_the_sample_is_what_its_script_writes(request):
    folder = request.config.rootpath / "sample_data"
    script = runpy.run_path(str(folder / "make_random_checkpoint.py"), run_name="not_main")
    checkpoint = read_checkpoint(folder / "mamba_random.safetensors")
    assert checkpoint.config == MambaConfig(
        d_model=64, n_layer=4, d_inner=128, d_state=16, d_conv=4, dt_rank=4, vocab_size=8
    )
    assert checkpoint.base_ids == BaseIds(0, 1, 2, 3, 4)
    assert checkpoint.note.startswith("random weights, seed 0: not trained")
    drawn = script["weights"]()
    assert checkpoint.tensors.keys() == drawn.keys()
    # exp and log differ in the last bit between processors.
    torch.testing.assert_close(checkpoint.tensors, drawn, rtol=1e-6, atol=1e-7)
    steps = torch.nn.functional.softplus(checkpoint.tensors["layers.3.mixer.dt_proj.bias"])
    assert 0.00099 < steps.min() < 0.002
    assert 0.05 < steps.max() < 0.101

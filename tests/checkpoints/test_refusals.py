"""What cannot be streamed is recognised by names of tensors or by settings, and the first such layer is named."""

import pytest
import torch
from hub_files import edit_json, write_tokenizer
from refused_models import CONFIGS, FILES, HYENA, JAMBA, LLAMA, write_folder
from safetensors.torch import save_file

from pgf_cli.checkpoints import AlphabetError, CheckpointError, UnsupportedArchitectureError, read_checkpoint
from pgf_cli.checkpoints.refusals import KINDS


def refusal(path, kind=UnsupportedArchitectureError, alphabet=None):
    """The one line, and the page."""
    with pytest.raises(kind) as caught:
        read_checkpoint(path, alphabet)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.refused is not None
    return message, caught.value.refused


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_is_refused_by_its_first_layer_that_cannot_be_streamed(tmp_path, name, suffix):
    tensors, layer, what = FILES[name]
    path = tmp_path / f"model{suffix}"
    (torch.save if suffix == ".pt" else save_file)(tensors, path)
    message, page = refusal(path)
    assert message.startswith(f"{path}: {layer} is {what}")
    assert f": {page.reason.rstrip('.')}; {page.instead}" in message
    assert page.layer == f"{layer}: {what}"
    assert any(each.startswith(f"tensor {layer}.") for each in page.because)


@pytest.mark.parametrize("name", FILES)
def test_a_lightning_checkpoint_around_it_changes_nothing(tmp_path, name):
    tensors, layer, _ = FILES[name]
    wrapped = {f"model.{tensor}": value for tensor, value in tensors.items()}
    torch.save({"epoch": 3, "state_dict": wrapped, "optimizer_states": [{}]}, tmp_path / "last.ckpt")
    assert refusal(tmp_path / "last.ckpt")[1].layer.startswith(f"{layer}: ")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_folder_is_refused_by_its_settings_alone(tmp_path, name):
    config, layer, whose = CONFIGS[name]
    message, page = refusal(write_folder(tmp_path / "model", config))
    assert f": {layer} is " in message
    assert page.recognised_as.startswith(whose)
    assert any(each.partition(" = ")[0] in config or each.startswith("architectures") for each in page.because)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_that_says_nothing_is_refused_by_its_tensors(tmp_path, name):
    tensors, layer, what = FILES[name]
    _, page = refusal(write_folder(tmp_path / "model", {"model_type": "unheard_of"}, tensors))
    assert page.layer == f"{layer}: {what}"
    assert "model_type = 'unheard_of'" in page.because


def test_every_layer_of_a_hybrid_is_on_the_page(tmp_path):
    torch.save(JAMBA, tmp_path / "model.pt")
    _, page = refusal(tmp_path / "model.pt")
    assert page.recognised_as == "attention and a mixture of experts beside state space layers"
    assert "tensor layers.0.mamba.A_log" in page.because
    (also,) = page.also
    assert also.startswith("layers.2.feed_forward.router is a mixture of experts: ")


def test_every_kind_has_a_file_here():
    named = {what for _, _, what in FILES.values()}
    assert named == {kind.layer for kind in KINDS}
    for kind in KINDS:
        assert not kind.reason.endswith(".")
        assert "\n" not in kind.reason + kind.instead


def test_layers_are_ordered_by_their_numbers_not_by_the_file(tmp_path):
    shuffled = dict(reversed(list((HYENA | {"backbone.layers.10.mixer.filter_fn.bias": torch.ones(2)}).items())))
    torch.save(shuffled, tmp_path / "model.pt")
    assert refusal(tmp_path / "model.pt")[1].layer.startswith("backbone.layers.0.mixer.filter_fn: ")


def test_an_attention_layer_among_a_mamba_s_own_is_named(hub_folder):
    weights = torch.load(save_as_bin(hub_folder))
    torch.save(
        weights | {"backbone.layers.1.self_attn.q_proj.weight": torch.ones(2, 2)}, hub_folder / "pytorch_model.bin"
    )
    message, page = refusal(hub_folder)
    assert "layers.1.self_attn is attention and cannot be streamed" in message
    assert "beside state space layers" in page.recognised_as


def save_as_bin(folder):
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder / "pytorch_model.bin"


def test_a_model_that_nobody_knows_is_shown_with_its_tensors(tmp_path):
    tensors = {f"stage.{i}.conv.weight": torch.ones(3, 2) for i in range(4)} | {"out.bias": torch.ones(3)}
    torch.save(tensors, tmp_path / "model.pt")
    message, page = refusal(tmp_path / "model.pt", CheckpointError)
    assert "has no architecture and config beside its tensors" in message
    assert page.tensors == ("4 x stage.#.conv.weight (3, 2)", "out.bias (3,)")
    assert "docs/own-family.md" in page.instead
    message, page = refusal(write_folder(tmp_path / "model", {"model_type": "cnn"}, tensors))
    assert "model_type 'cnn' is not supported" in message
    assert page.tensors[0] == "4 x stage.#.conv.weight (3, 2)"
    assert refusal(write_folder(tmp_path / "empty", {"model_type": "cnn"}))[1].tensors == ()


@pytest.mark.parametrize(
    ("vocab", "evidence"),
    [
        ({"<unk>": 0, "ACGTAC": 1, "CCGTAC": 2, "GGGTAC": 3}, "token 'ACGTAC' in tokenizer.json"),
        ({"<unk>": 0, "ĠA": 1, "ATG": 2, "G": 3}, "token 'ATG' in tokenizer.json"),
    ],
)
def test_a_vocabulary_of_several_bases_a_token_is_refused(hub_folder, vocab, evidence):
    write_tokenizer(hub_folder, vocab)
    message, page = refusal(hub_folder, AlphabetError)
    assert "has tokens of several bases" in message
    assert page.because == (evidence,)
    assert page.recognised_as.startswith("a vocabulary of several bases a token")
    assert read_checkpoint(hub_folder, "A=0,C=1,G=2,T=3").alphabet_source == "--alphabet"


def test_a_large_vocabulary_without_a_tokenizer_is_taken_for_words(tmp_path):
    from hub_files import make_hub_model

    make_hub_model(vocab_size=4101).save_pretrained(tmp_path)
    message, page = refusal(tmp_path, AlphabetError)
    assert "an embedding of 4,101 tokens is likely to be of k-mers or words" in message
    assert "--alphabet" in message
    assert page.layer == "the embedding: a row is several bases"
    write_tokenizer(tmp_path, {f"t{i}": i for i in range(4101)})
    assert "tokenizer.json has no tokens for bases" in refusal(tmp_path, AlphabetError)[0]


def test_a_supported_model_is_not_refused_for_a_field_that_others_have_too(hub_folder):
    edit_json(
        hub_folder / "config.json", num_attention_heads=8, num_experts=1, attn_layer_idx=[], layer_types=["mamba"]
    )
    assert read_checkpoint(hub_folder).architecture == "mamba"
    edit_json(hub_folder / "config.json", attn_layer_idx=[1])
    assert "layer 1 is attention (attn_layer_idx = [1])" in refusal(hub_folder)[0]


def test_names_in_a_file_cannot_steer_the_terminal(tmp_path):
    torch.save(LLAMA | {"model.\x1b[2J.self_attn.q_proj.weight": torch.ones(2)}, tmp_path / "model.pt")
    assert "\x1b" not in refusal(tmp_path / "model.pt")[0]

"""Models whose files say nothing of their tokens, which their programs always number in one way."""

import json

import pytest
import torch
from causal_files import MODELS
from hub_files import TOKENS, write_tokenizer

from pgf_cli.checkpoints import (
    AlphabetError,
    CheckpointError,
    UnsupportedArchitectureError,
    read_checkpoint,
    save_checkpoint,
)
from pgf_cli.core.models import BarcodeMambaConfig, KdaConfig, MambaConfig

HYENADNA = {"A": 7, "C": 8, "G": 9, "T": 10, "N": 11}
BARCODE = {"A": 3, "C": 4, "G": 5, "T": 6, "N": 7}


def write(name, folder, **changes):
    return MODELS[name].write(folder, MODELS[name].tensors() | changes)


def failure(path, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_causal_baselines_of_caduceus_have_hyenadnas_tokens(tmp_path):
    name = "Caduceus's causal baseline"
    checkpoint = read_checkpoint(write(name, tmp_path))
    assert (checkpoint.layout, checkpoint.alphabet, checkpoint.head) == (name, HYENADNA, "tied")
    sizes = {"d_model": 8, "n_layer": 2, "d_inner": 12, "d_state": 4, "d_conv": 4, "dt_rank": 2, "vocab_size": 16}
    assert checkpoint.config == MambaConfig(**sizes)
    assert "16 rows" in checkpoint.alphabet_source
    assert "norm_eps" in checkpoint.note
    other = read_checkpoint(write(name, tmp_path), "A=0,C=1,G=2,T=3")
    assert other.alphabet == {"A": 0, "C": 1, "G": 2, "T": 3}
    own_head = read_checkpoint(write(name, tmp_path, **{"lm_head.weight": torch.ones(16, 8)}))
    assert (own_head.head, own_head.config.tied) == ("own", False)


def test_rows_of_another_number_are_not_taken_for_hyenadnas(tmp_path):
    changed = {"backbone.embedding.weight": torch.ones(40, 8), "lm_head.weight": torch.ones(40, 8)}
    failure(write("Caduceus's causal baseline", tmp_path, **changed))


def test_plant_dnamamba_has_its_own_order_of_bases(tmp_path):
    folder = write("plant-dnamamba", tmp_path)
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.layout, checkpoint.alphabet_source) == ("Hugging Face", "vocab.txt")
    assert checkpoint.alphabet == {"A": 4, "C": 6, "G": 7, "T": 5, "N": 8}
    assert checkpoint.config.vocab_size == 11
    write_tokenizer(folder, TOKENS | {"ACGTTA": 9})
    assert "tokens of several bases, such as 'ACGTTA'" in failure(folder, AlphabetError)


def test_barcode_mamba_is_read_off_its_tensors(tmp_path):
    checkpoint = read_checkpoint(write("BarcodeMamba", tmp_path))
    assert (checkpoint.architecture, checkpoint.layout) == ("barcodemamba", "BarcodeMamba")
    assert (checkpoint.alphabet, checkpoint.head, checkpoint.note) == (BARCODE, "own", None)
    sizes = {"d_model": 8, "n_layer": 2, "heads": 4, "head_dim": 3, "d_state": 3, "d_conv": 4, "d_mlp": 32}
    assert checkpoint.config == BarcodeMambaConfig(**sizes, vocab_size=8)


def test_a_barcode_mamba_of_kmers_or_of_mamba1_layers_is_refused(tmp_path):
    kmers = {"backbone.embeddings.word_embeddings.weight": torch.ones(4104, 8), "head.weight": torch.ones(4104, 8)}
    assert "it reads k-mers" in failure(write("BarcodeMamba", tmp_path, **kmers), AlphabetError)
    mamba1 = {"backbone.layers.0.mixer.x_proj.weight": torch.ones(8, 12)}
    message = failure(write("BarcodeMamba", tmp_path, **mamba1), UnsupportedArchitectureError)
    assert "layers.0.mixer.x_proj.weight is of a BarcodeMamba of Mamba1 layers" in message


def test_a_barcode_mamba_with_a_classifier_says_that_it_is_not_read(tmp_path):
    published = MODELS["BarcodeMamba"]
    tensors = {name: tensor for name, tensor in published.tensors().items() if name != "head.weight"}
    head = {"head.output_transform.weight": torch.ones(5, 8), "head.output_transform.bias": torch.ones(5)}
    checkpoint = read_checkpoint(published.write(tmp_path, tensors | head))
    assert (checkpoint.head, checkpoint.output_layers) == ("none", ("hidden",))
    assert set(checkpoint.ignored) == set(head)
    assert "a classifier (head.output_transform.weight), is not read" in checkpoint.note


def test_mnemos_dna_is_read_off_its_tensors(tmp_path):
    checkpoint = read_checkpoint(write("Mnemos-DNA", tmp_path))
    assert (checkpoint.architecture, checkpoint.layout) == ("kda", "Mnemos-DNA")
    assert (checkpoint.alphabet, checkpoint.head) == (BARCODE, "tied")
    assert checkpoint.config == KdaConfig(d_model=8, n_layer=2, heads=2, d_conv=4, d_mlp=12, vocab_size=8)
    assert "without rotary positions and without [BOS]" in checkpoint.note
    own_head = read_checkpoint(write("Mnemos-DNA", tmp_path, **{"lm_head.weight": torch.ones(8, 8)}))
    assert (own_head.head, own_head.config.tied) == ("own", False)


def test_an_arm_of_mnemos_dna_with_attention_is_refused_and_the_layer_named(tmp_path):
    tensors = MODELS["Mnemos-DNA"].tensors()
    kept = {
        n: t for n, t in tensors.items() if "blocks.1.attn." not in n or n.endswith(("q_proj.weight", "o_proj.weight"))
    }
    message = failure(MODELS["Mnemos-DNA"].write(tmp_path, kept), UnsupportedArchitectureError)
    assert "blocks.1 is attention over a window, not Kimi delta attention" in message


def test_a_mamba3_is_refused_and_its_dialects_are_listed(tmp_path):
    mixer = {f"backbone.layers.0.mixer.{part}_bias": torch.ones(4, 1, 8) for part in "BC"}
    torch.save({"backbone.embedding.weight": torch.ones(16, 8), **mixer}, tmp_path / "model.pt")
    settings = {"d_model": 8, "n_layer": 1, "ssm_cfg": {"layer": "Mamba3"}, "vocab_size": 16}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    for path in (tmp_path / "model.pt", tmp_path):
        message = failure(path, UnsupportedArchitectureError)
        assert "a Mamba-3 mixer" in message
        assert "is not read yet" in message
        assert all(dialect in message for dialect in ("-softplus(x)", "-(1 + x)", "-exp(A_log)"))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba3"}))
    assert "a Mamba-3 mixer" in failure(tmp_path, UnsupportedArchitectureError)


@pytest.mark.parametrize("name", ["BarcodeMamba", "Mnemos-DNA"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_our_own_format_holds_them(name, suffix, tmp_path):
    first = read_checkpoint(write(name, tmp_path))
    save_checkpoint(tmp_path / f"own{suffix}", first.config, first.tensors, first.base_ids)
    again = read_checkpoint(tmp_path / f"own{suffix}")
    assert (again.config, again.base_ids) == (first.config, first.base_ids)
    assert again.tensors_sha256 == first.tensors_sha256

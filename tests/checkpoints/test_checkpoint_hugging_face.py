"""Hugging Face folders; the independent source is transformers, which writes them and runs the same weights."""

import json

import pytest
import torch
from hub_files import edit_json, make_hub_model, write_tokenizer
from safetensors.torch import load_file, save_file

from pgf_cli.checkpoints import (
    AlphabetError,
    CheckpointError,
    CheckpointNotFoundError,
    MissingTensorError,
    TensorError,
    UnsupportedArchitectureError,
    read_checkpoint,
)
from pgf_cli.core.models import BaseIds, MambaConfig

BASE_IDS = BaseIds(4, 6, 7, 5, 8)
CPU = torch.device("cpu")


def canonical(model):
    """The state dict of transformers under our names, the head left out."""
    return {
        name.removeprefix("backbone.").replace("embeddings.", "embedding."): tensor
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        assert torch.equal(found[name], expected[name]), name


def as_bin(folder):
    """Rewrite a folder's safetensors, and the index of its shards, as torch.save files."""
    for path in folder.glob("model*.safetensors"):
        tensors = load_file(path)
        torch.save(tensors, folder / f"pytorch_{path.stem}.bin")
        path.unlink()
    index = folder / "model.safetensors.index.json"
    if index.exists():
        values = json.loads(index.read_text())
        names = {
            name: f"pytorch_{file.removesuffix('.safetensors')}.bin" for name, file in values["weight_map"].items()
        }
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(values | {"weight_map": names}))
        index.unlink()


def failure(path, kind=CheckpointError):
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("shard", ["1GB", "3KB"])
@pytest.mark.parametrize("binary", [False, True])
def test_every_form_of_the_weights_gives_the_tensors_of_transformers(hub_model, tmp_path, shard, binary):
    hub_model.save_pretrained(tmp_path, max_shard_size=shard)
    write_tokenizer(tmp_path)
    if binary:
        as_bin(tmp_path)
    assert (len(list(tmp_path.glob("*-of-*"))) > 1) == (shard == "3KB")
    checkpoint = read_checkpoint(tmp_path)
    assert_equal(checkpoint.tensors, canonical(hub_model))
    assert checkpoint.config == MambaConfig(
        d_model=8, n_layer=3, d_inner=16, d_state=4, d_conv=4, dt_rank=2, vocab_size=11
    )
    assert (checkpoint.layout, checkpoint.architecture, checkpoint.path) == ("Hugging Face", "mamba", tmp_path)
    assert (checkpoint.base_ids, checkpoint.alphabet_source) == (BASE_IDS, "tokenizer.json")
    assert (checkpoint.ignored, checkpoint.note) == ((), None)
    assert set(checkpoint.files) == set(tmp_path.iterdir()) - {tmp_path / "generation_config.json"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
        {"use_bias": True, "use_conv_bias": False, "conv_kernel": 3, "expand": 3},
    ],
)
def test_the_built_model_computes_what_transformers_computes(tmp_path, settings):
    model = make_hub_model(**settings)
    for parameter in model.parameters():
        # Biases and norms start at constants that would hide a mix-up.
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    ours = read_checkpoint(tmp_path).build("logits", torch.float32, CPU)
    bases = torch.tensor([0, 1, 2, 3, 4, 4, 2, 2, 0, 1, 3, 3, 0, 2, 1, 1, 0])
    x = torch.nn.functional.one_hot(bases, 5).float()
    with torch.no_grad():
        expected = model(torch.tensor(BASE_IDS)[bases][None], use_cache=False).logits[0]
        found, _ = ours(x, ours.initial_state(x[:0]))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_model_saved_without_its_head_is_headless(hub_model, tmp_path):
    hub_model.backbone.save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["MambaModel"]
    checkpoint = read_checkpoint(tmp_path)
    assert not checkpoint.config.head
    assert_equal(checkpoint.tensors, canonical(hub_model))
    edit_json(tmp_path / "config.json", architectures=None)
    assert not read_checkpoint(tmp_path).config.head


def test_the_architecture_alone_names_the_family(hub_folder):
    edit_json(hub_folder / "config.json", model_type=None)
    assert read_checkpoint(hub_folder).config.head
    edit_json(hub_folder / "config.json", model_type="mamba", architectures=None)
    assert read_checkpoint(hub_folder).config.head


def test_a_classifier_s_own_head_is_read_and_no_language_model_s(hub_folder):
    path = hub_folder / "model.safetensors"
    save_file(load_file(path) | {"score.weight": torch.zeros(2, 8)}, path)
    edit_json(hub_folder / "config.json", architectures=["MambaForSequenceClassification"])
    checkpoint = read_checkpoint(hub_folder)
    assert (checkpoint.config.labels, checkpoint.config.pools_last, checkpoint.config.head) == (2, True, False)
    assert checkpoint.ignored == ()
    edit_json(hub_folder / "config.json", architectures=["MambaForCausalLM"])
    # Beside a language model it is no part of it.
    assert read_checkpoint(hub_folder).ignored == ("score.weight",)


def test_a_tied_head_may_be_stored_but_must_be_the_embedding(hub_folder):
    path = hub_folder / "model.safetensors"
    tensors = load_file(path)
    head = tensors["backbone.embeddings.weight"].clone()
    save_file(tensors | {"lm_head.weight": head}, path)
    assert "lm_head.weight" not in read_checkpoint(hub_folder).tensors
    head[3, 2] += 1
    save_file(tensors | {"lm_head.weight": head}, path)
    assert "tie_word_embeddings = true" in failure(hub_folder)
    edit_json(hub_folder / "config.json", tie_word_embeddings=False)
    assert torch.equal(read_checkpoint(hub_folder).tensors["lm_head.weight"], head)


def test_an_untied_head_must_be_there(hub_folder):
    edit_json(hub_folder / "config.json", tie_word_embeddings=False)
    assert "has no tensor lm_head.weight" in failure(hub_folder, MissingTensorError)


@pytest.mark.parametrize("family", ["falcon_mamba", "unheard_of"])
def test_another_family_is_refused_by_name_with_what_is_supported(hub_folder, family):
    edit_json(hub_folder / "config.json", model_type=family)
    message = failure(hub_folder, UnsupportedArchitectureError)
    assert f"model_type '{family}'" in message
    assert "MambaForCausalLM, MambaModel" in message


def test_a_config_that_names_no_family_or_another_activation_is_refused(hub_folder):
    edit_json(hub_folder / "config.json", hidden_act="gelu")
    assert "hidden_act is 'gelu'" in failure(hub_folder, UnsupportedArchitectureError)
    edit_json(hub_folder / "config.json", model_type=None, architectures=["Unheard"])
    assert "architectures ['Unheard']" in failure(hub_folder, UnsupportedArchitectureError)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("hidden_size", 16, "hidden_size = 16, but in {weights} embedding.weight makes it 8"),
        ("num_hidden_layers", 4, "num_hidden_layers = 4, but in {weights} the tensors make it 3"),
        ("num_hidden_layers", None, "has no num_hidden_layers"),
        ("num_hidden_layers", "3", "num_hidden_layers is '3'; it must be a whole number"),
        ("intermediate_size", 32, "intermediate_size = 32, but in {weights} layers.0.mixer.A_log makes it 16"),
        ("state_size", 16, "state_size = 16, but"),
        ("conv_kernel", 3, "conv_kernel = 3, but"),
        ("time_step_rank", 1, "time_step_rank = 1, but"),
        ("time_step_rank", "auto", "time_step_rank = 1, but in {weights} layers.0.mixer.dt_proj.weight makes it 2"),
        ("time_step_rank", "many", "time_step_rank is 'many'"),
        ("vocab_size", 8, "vocab_size = 8, but"),
        ("layer_norm_epsilon", 0, "layer_norm_epsilon is 0; it must be a positive number"),
        ("use_bias", True, "has no tensor layers.0.mixer.in_proj.bias"),
        ("use_conv_bias", False, "tensor layers.0.mixer.conv1d.bias has no place"),
        ("architectures", "MambaModel", "architectures is 'MambaModel'; it must be a list"),
    ],
)
def test_a_config_that_contradicts_the_tensors_is_an_error_naming_both(hub_folder, field, value, expected):
    edit_json(hub_folder / "config.json", **{field: value})
    assert expected.format(weights=hub_folder / "model.safetensors") in failure(hub_folder)


def test_sizes_that_the_config_leaves_out_are_read_off_the_tensors(hub_folder):
    left_out = ["hidden_size", "intermediate_size", "state_size", "conv_kernel", "time_step_rank", "vocab_size"]
    before = read_checkpoint(hub_folder).config
    edit_json(hub_folder / "config.json", **dict.fromkeys(left_out))
    assert read_checkpoint(hub_folder).config == before


def test_a_tensor_under_two_names_is_refused(hub_folder):
    path = hub_folder / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"backbone.embedding.weight": torch.zeros(11, 8)}, path)
    assert "embedding.weight under two names" in failure(hub_folder, TensorError)


def test_weights_that_are_missing_or_incomplete(hub_model, hub_folder, tmp_path):
    (hub_folder / "model.safetensors").unlink()
    assert "has no weights; expected one of model.safetensors" in failure(hub_folder, CheckpointNotFoundError)
    sharded = tmp_path / "sharded"
    hub_model.save_pretrained(sharded, max_shard_size="3KB")
    write_tokenizer(sharded)
    index = sharded / "model.safetensors.index.json"
    names = json.loads(index.read_text())["weight_map"]
    edit_json(index, weight_map=names | {"backbone.other": names["backbone.norm_f.weight"]})
    assert "has no tensor backbone.other" in failure(sharded, MissingTensorError)
    for wrong in ("../model.safetensors", "/etc/passwd", 5):
        edit_json(index, weight_map=names | {"backbone.norm_f.weight": wrong})
        assert "a shard is a file of the same folder" in failure(sharded)
    edit_json(index, weight_map={})
    assert "has no weight_map" in failure(sharded)
    edit_json(index, weight_map=names)
    next(sharded.glob("*-00002-of-*")).unlink()
    assert "-00002-of-" in failure(sharded, CheckpointNotFoundError)


def test_code_in_the_folder_is_not_run(hub_folder, tmp_path):
    created = tmp_path / "created"
    edit_json(hub_folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling.Model"})
    tokenizer = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["tokenization.Mine", None]}}
    (hub_folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    for name in ("modeling.py", "tokenization.py", "__init__.py"):
        (hub_folder / name).write_text(f"from pathlib import Path\nPath({str(created)!r}).mkdir()\n")
    assert read_checkpoint(hub_folder).base_ids == BASE_IDS
    assert not created.exists()


def test_the_option_beats_the_tokenizer_and_the_tokenizer_the_config(hub_folder):
    edit_json(hub_folder / "config.json", alphabet={"A": 0, "C": 1, "G": 2, "T": 3})
    chosen = read_checkpoint(hub_folder, "T=0,G=1,C=2,A=3")
    assert (chosen.base_ids, chosen.alphabet_source) == (BaseIds(3, 2, 1, 0, None), "--alphabet")
    assert hub_folder / "tokenizer.json" not in chosen.files
    assert read_checkpoint(hub_folder).alphabet_source == "tokenizer.json"
    (hub_folder / "tokenizer.json").unlink()
    last = read_checkpoint(hub_folder)
    assert (last.base_ids, last.alphabet_source) == (BaseIds(0, 1, 2, 3, None), "config")


def test_a_folder_without_any_alphabet_asks_for_the_option(hub_folder):
    (hub_folder / "tokenizer.json").unlink()
    message = failure(hub_folder, AlphabetError)
    assert "there is no tokenizer file" in message
    assert "--alphabet A=7,C=8,G=9,T=10,N=11" in message
    write_tokenizer(hub_folder, vocab={"hello": 0, "world": 1})
    assert "tokenizer.json has no tokens for bases" in failure(hub_folder, AlphabetError)

"""Folders of Caduceus: names and what is left out as its repository publishes them, from a model of known tensors."""

import json

import pytest
import torch
from hub_files import edit_json
from safetensors.torch import save_file

from pgf_cli.checkpoints import (
    CheckpointError,
    MissingTensorError,
    TensorError,
    UnsafeCheckpointError,
    UnsupportedArchitectureError,
    read_checkpoint,
    save_checkpoint,
)
from pgf_cli.core.models import BaseIds
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM

IDS, COMPLEMENT = BaseIds(7, 8, 9, 10, 11), [0, 1, 2, 3, 4, 5, 6, 10, 9, 8, 7, 11, 12, 13, 14, 15]
SIZES = {"d_model": 8, "n_layer": 2, "d_inner": 16, "d_state": 4, "d_conv": 4, "dt_rank": 1, "vocab_size": 16}
SETTINGS = {
    "model_type": "caduceus",
    "architectures": ["CaduceusForMaskedLM"],
    "bidirectional": True,
    "bidirectional_strategy": "add",
    "bidirectional_weight_tie": True,
    "complement_map": {str(token): other for token, other in enumerate(COMPLEMENT)},
    "d_model": 8,
    "n_layer": 2,
    "vocab_size": 12,
    "pad_vocab_size_multiple": 8,
    "rms_norm": True,
    "norm_epsilon": 1e-5,
    "ssm_cfg": {"d_state": 4, "d_conv": 4, "expand": 2, "dt_rank": "auto", "bias": False, "conv_bias": True},
}


def known_model(**settings):
    config = CaduceusConfig(**SIZES | settings, mask_id=3)
    model = CaduceusLM(config, IDS, "logprobs").to(torch.float32).requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    for block in model.layers:
        block.mixer.mamba_rev.in_proj.weight.copy_(block.mixer.mamba_fwd.in_proj.weight)
        block.mixer.mamba_rev.out_proj.weight.copy_(block.mixer.mamba_fwd.out_proj.weight)
    if config.both_strands:
        model.complement.copy_(torch.tensor(COMPLEMENT))
    return model


def published(model, *, fused=True, all_names=False, prefix="caduceus."):
    """The tensors under the names of the repository; tied ones left out, as safetensors does, or all there."""
    strands, tensors = model.streams == 2, {}
    backbone = f"{prefix}backbone."
    for name, tensor in model.state_dict().items():
        if name == "embedding.weight":
            inner = "embedding." if strands else ""
            tensors[f"{backbone}embeddings.word_embeddings.{inner}weight"] = tensor
            if all_names:
                tensors["lm_head.lm_head.weight" if strands else "lm_head.weight"] = tensor.clone()
        elif name == "complement":
            for place in (f"{backbone}embeddings.word_embeddings.", "lm_head."):
                tensors[f"{place}complement_map"] = tensor.long()
        elif not all_names and "mamba_rev" in name and ("in_proj" in name or "out_proj" in name):
            continue
        else:
            wrapped = name.replace(".mixer.", ".mixer.submodule.") if strands else name
            if strands and not fused:
                wrapped = wrapped.replace(".norm.", ".norm.submodule.").replace("norm_f.", "norm_f.submodule.")
            tensors[backbone + wrapped] = tensor
    return {name: tensor.clone() for name, tensor in tensors.items()}


def write(folder, tensors, *, as_bin=False, **settings):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SETTINGS | settings))
    if as_bin:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors")
    return folder


def assert_same(checkpoint, model):
    wanted = model.state_dict()
    assert checkpoint.tensors.keys() == wanted.keys()
    assert all(torch.equal(checkpoint.tensors[name].float(), tensor) for name, tensor in wanted.items())
    assert checkpoint.config == model.config
    assert checkpoint.base_ids == IDS


@pytest.mark.parametrize("as_bin", [False, True])
@pytest.mark.parametrize("all_names", [False, True])
def test_ph_is_read_whether_tied_tensors_are_there_or_not(as_bin, all_names, tmp_path):
    model = known_model()
    folder = write(tmp_path / "ph", published(model, all_names=all_names), as_bin=as_bin, rcps=False)
    read = read_checkpoint(folder)
    assert_same(read, model)
    assert read.output_layers[0] == "logprobs"
    assert read.layout == "Hugging Face"


@pytest.mark.parametrize("fused", [True, False, None])
@pytest.mark.parametrize("all_names", [False, True])
def test_ps_swaps_strands_where_its_code_path_is_fused_which_is_the_default(fused, all_names, tmp_path):
    model = known_model(both_strands=True, swapped=fused is not False)
    settings = {} if fused is None else {"fused_add_norm": fused}
    tensors = published(model, fused=fused is not False, all_names=all_names)
    assert_same(read_checkpoint(write(tmp_path / "ps", tensors, rcps=True, **settings)), model)


def test_plantcaduceus_has_no_prefix_no_head_and_tokens_of_its_own(tmp_path):
    sizes = {"vocab_size": 8, "both_strands": True, "swapped": True}
    config = CaduceusConfig(**SIZES | sizes, mask_id=1)
    model = CaduceusLM(config, BaseIds(3, 4, 5, 6, 2), "logprobs")
    model.complement.copy_(torch.tensor([0, 1, 2, 6, 5, 4, 3, 7]))
    for block in model.layers:
        block.mixer.mamba_rev.in_proj.weight = block.mixer.mamba_fwd.in_proj.weight
        block.mixer.mamba_rev.out_proj.weight = block.mixer.mamba_fwd.out_proj.weight
    tensors = {
        name: tensor
        for name, tensor in published(model.requires_grad_(False), prefix="").items()
        if not name.startswith("lm_head")
    }
    assert all(name.startswith("backbone.") for name in tensors)
    folder = write(
        tmp_path / "plant", tensors, as_bin=True, architectures=["Caduceus"], rcps=True, vocab_size=7,
        complement_map={"0": 0, "1": 1, "2": 2, "3": 6, "4": 5, "5": 4, "6": 3, "7": 7},
    )  # fmt: skip
    read = read_checkpoint(folder)
    assert read.config == config
    assert read.base_ids == BaseIds(3, 4, 5, 6, 2)
    assert read.output_layers[0] == "logprobs"


def test_the_complement_comes_from_the_config_where_the_file_has_none(tmp_path):
    model = known_model(both_strands=True, swapped=True)
    tensors = {name: tensor for name, tensor in published(model).items() if "complement" not in name}
    assert_same(read_checkpoint(write(tmp_path / "ps", tensors, rcps=True)), model)


def test_our_own_format_keeps_all_of_it(tmp_path):
    model = known_model(both_strands=True, swapped=True)
    save_checkpoint(tmp_path / "own.safetensors", model.config, model.state_dict(), IDS)
    assert_same(read_checkpoint(tmp_path / "own.safetensors"), model)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("caduceus.backbone.layers.1.mixer.mamba_fwd.A_log", r"layers\.1\.mixer\.mamba_fwd\.A_log"),
        ("caduceus.backbone.layers.0.mixer.mamba_rev.conv1d.weight", r"layers\.0\.mixer\.mamba_rev\.conv1d\.weight"),
        ("caduceus.backbone.norm_f.weight", r"norm_f\.weight"),
        ("caduceus.backbone.embeddings.word_embeddings.weight", r"embedding\.weight"),
    ],
)
def test_a_tensor_that_is_missing_misshapen_or_too_many_is_named(name, said, tmp_path):
    tensors = published(known_model())
    missing = {other: tensor for other, tensor in tensors.items() if other != name}
    with pytest.raises(MissingTensorError, match=said):
        read_checkpoint(write(tmp_path / "missing", missing))
    with pytest.raises((TensorError, CheckpointError), match=said):
        read_checkpoint(write(tmp_path / "misshapen", tensors | {name: torch.zeros(3, 3, 3)}))
    with pytest.raises(TensorError, match=r"layers\.0\.mixer\.mamba_fwd\.extra"):
        read_checkpoint(
            write(tmp_path / "extra", tensors | {"caduceus.backbone.layers.0.mixer.mamba_fwd.extra": torch.zeros(1)})
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bidirectional": False}, "bidirectional = false"),
        ({"bidirectional_strategy": "ew_multiply"}, "bidirectional_strategy = 'ew_multiply'"),
        ({"rms_norm": False}, "rms_norm = false"),
        ({"d_model": 9}, "d_model = 9"),
        ({"n_layer": 3}, "n_layer = 3"),
        ({"ssm_cfg": {"d_state": 5}}, "d_state = 5"),
    ],
)
def test_what_the_config_says_otherwise_is_one_line(settings, said, tmp_path):
    with pytest.raises((CheckpointError, UnsupportedArchitectureError), match=said) as caught:
        read_checkpoint(write(tmp_path / "other", published(known_model()), **settings))
    assert "\n" not in str(caught.value)


def test_projections_that_are_not_shared_though_the_config_says_so_are_refused(tmp_path):
    tensors = published(known_model(), all_names=True)
    tensors["caduceus.backbone.layers.1.mixer.mamba_rev.in_proj.weight"] += 1
    folder = write(tmp_path / "apart", tensors)
    with pytest.raises(CheckpointError, match="both directions share their projections"):
        read_checkpoint(folder)
    edit_json(folder / "config.json", bidirectional_weight_tie=False)
    read = read_checkpoint(folder)
    assert not torch.equal(
        read.tensors["layers.1.mixer.mamba_rev.in_proj.weight"], read.tensors["layers.1.mixer.mamba_fwd.in_proj.weight"]
    )


def test_a_complement_that_is_not_the_bases_is_refused(tmp_path):
    tensors = published(known_model(both_strands=True, swapped=True))
    for name in [name for name in tensors if "complement" in name]:
        tensors[name] = torch.arange(16)
    with pytest.raises(CheckpointError, match=r"complement_map takes token 7 \(A\) to 7"):
        read_checkpoint(write(tmp_path / "wrong", tensors, rcps=True))


def classifier(folder, tensors=None, **settings):
    tensors = published(known_model()) | {"score.weight": torch.zeros(2, 8)} if tensors is None else tensors
    return write(folder, tensors, architectures=["CaduceusForSequenceClassification"], **settings)


def test_a_classifier_has_scores_and_no_language_model_head(tmp_path):
    read = read_checkpoint(classifier(tmp_path / "mean"))
    assert read.output_layers == ("hidden",)
    assert (read.config.labels, read.config.pools_last) == (2, False)
    assert read.family.objectives(read.config)[0] == "class:J"
    assert "mean over all bases" in read.note
    assert read_checkpoint(classifier(tmp_path / "last", pooling_strategy="last")).config.pools_last


def test_a_classifier_without_its_head_or_pooled_otherwise_is_one_line(tmp_path):
    with pytest.raises(MissingTensorError, match=r"score\.weight"):
        read_checkpoint(classifier(tmp_path / "none", published(known_model())))
    with pytest.raises(UnsupportedArchitectureError, match="pooling_strategy = 'max'"):
        read_checkpoint(classifier(tmp_path / "max", pooling_strategy="max"))
    with pytest.raises(UnsupportedArchitectureError, match="conjoin_eval = true"):
        read_checkpoint(classifier(tmp_path / "conjoined", conjoin_eval=True))


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_a_bin_file_that_holds_anything_but_tensors_is_refused(tmp_path):
    tensors = published(known_model()) | {"x": Evil()}
    with pytest.raises(UnsafeCheckpointError):
        read_checkpoint(write(tmp_path / "evil", tensors, as_bin=True))

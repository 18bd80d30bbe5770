"""Made-up files of the causal models that labs hold, with the names and shapes that their programs give to tensors."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import causal_oracles
import torch
from safetensors.torch import save_file


class Published(NamedTuple):
    """A model as its program saves it."""

    shapes: dict
    """Of its tensors, by the names that the file gives them, without the prefix."""
    write: Callable
    """Writes tensors into a folder; returns what ``--model`` is given."""
    oracle: Callable
    """The output, written out: see ``causal_oracles``."""
    output: str
    tied: str | None = None
    """A tensor that is another's copy."""
    copy_of: str = ""
    renamed: Mapping = MappingProxyType({})
    """What errors call a tensor that has another name in the model."""

    def tensors(self):
        """Random ones, so that no term is multiplied by 0 or 1; in numbers that float32 holds exactly."""
        generator = torch.Generator().manual_seed(3)
        made = {}
        for name, shape in self.shapes.items():
            made[name] = torch.randn(shape, generator=generator) * 0.3
            if "norm" in name and name.endswith("weight"):
                made[name] += 1
        if self.tied:
            made[self.tied] = made[self.copy_of].clone()
        return made


def mamba_shapes(name, D, E, N, R):
    return {
        f"{name}.A_log": (E, N),
        f"{name}.D": (E,),
        f"{name}.in_proj.weight": (2 * E, D),
        f"{name}.conv1d.weight": (E, 1, 4),
        f"{name}.conv1d.bias": (E,),
        f"{name}.x_proj.weight": (R + 2 * N, E),
        f"{name}.dt_proj.weight": (E, R),
        f"{name}.dt_proj.bias": (E,),
        f"{name}.out_proj.weight": (D, E),
    }


def lightning(name, prefix="model.", **beside):
    """Writes a checkpoint of Lightning: the model is an attribute of a module, beside other parts of it."""

    def write(folder, tensors):
        content = {
            "epoch": 3,
            "global_step": 100,
            "pytorch-lightning_version": "2.1.2",
            "state_dict": {prefix + key: tensor for key, tensor in tensors.items()}
            | {key: torch.zeros(shape) for key, shape in beside.items()},
            "loops": {"fit_loop": {"state_dict": {}}},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}],
            "lr_schedulers": [],
        }
        torch.save(content, folder / name)
        return folder / name

    return write


def tensors_file(name):
    def write(folder, tensors):
        save_file(tensors, folder / name) if name.endswith(".safetensors") else torch.save(tensors, folder / name)
        return folder / name

    return write


def orthrus_folder(folder, tensors):
    """As the hub has it."""
    D, tracks = tensors["embedding.weight"].shape if "embedding.weight" in tensors else (8, 4)
    settings = {
        "architectures": ["OrthrusPretrainedModel"],
        "model_type": "orthrus",
        "n_tracks": tracks,
        "ssm_model_dim": D,
        "ssm_n_layers": 2,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(settings))
    save_file({f"model.{name}": tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def orthrus(tracks, write):
    shapes = {"embedding.weight": (8, tracks), "embedding.bias": (8,), "norm_f.weight": (8,), "norm_f.bias": (8,)}
    for i in range(2):
        shapes |= {f"layers.{i}.norm.weight": (8,), f"layers.{i}.norm.bias": (8,)}
        shapes |= mamba_shapes(f"layers.{i}.mixer", 8, 12, 4, 2)
    return Published(shapes, write, causal_oracles.orthrus, "hidden")


ORTHRUS_HEAD = {"projection_head.0.weight": (4, 8), "projection_head.1.running_mean": (4,)}


def caduceus_causal():
    shapes = {"backbone.embedding.weight": (16, 8), "backbone.norm_f.weight": (8,), "lm_head.weight": (16, 8)}
    for i in range(2):
        shapes[f"backbone.layers.{i}.norm.weight"] = (8,)
        shapes |= mamba_shapes(f"backbone.layers.{i}.mixer", 8, 12, 4, 2)
    oracle = causal_oracles.mamba_language_model("backbone.embedding.weight", (7, 8, 9, 10, 11))
    return Published(shapes, lightning("val.ckpt"), oracle, "logprobs", "lm_head.weight", "backbone.embedding.weight")


def plant_folder(folder, tensors):
    """zhangtaolab/plant-dnamamba-singlebase: MambaForCausalLM with leftovers of mamba_ssm in config.json."""
    settings = {
        "architectures": ["MambaForCausalLM"],
        "model_type": "mamba",
        "hidden_size": 8,
        "intermediate_size": 12,
        "num_hidden_layers": 2,
        "state_size": 4,
        "conv_kernel": 4,
        "time_step_rank": 2,
        "vocab_size": 11,
        "d_model": 2560,
        "n_layer": 64,
        "ssm_cfg": {},
        "rms_norm": True,
        "bos_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    tokens = ["<unk>", "<pad>", "<mask>", "<cls>", "A", "T", "C", "G", "N", "<eos>", "<bos>"]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    (folder / "tokenizer_config.json").write_text(json.dumps({"unk_token": "<unk>", "tokenizer_class": "PlantDNA"}))
    save_file(tensors, folder / "model.safetensors")
    return folder


def plant_dnamamba():
    shapes = {"backbone.embeddings.weight": (11, 8), "backbone.norm_f.weight": (8,)}
    for i in range(2):
        shapes[f"backbone.layers.{i}.norm.weight"] = (8,)
        shapes |= mamba_shapes(f"backbone.layers.{i}.mixer", 8, 12, 4, 2)
    oracle = causal_oracles.mamba_language_model("backbone.embeddings.weight", (4, 6, 7, 5, 8))
    renamed = {"backbone.embeddings.weight": "embedding.weight"}
    return Published(shapes, plant_folder, oracle, "logprobs", renamed=renamed)


def barcode_mamba():
    D, E, N, H = 8, 12, 3, 4
    shapes = {"backbone.embeddings.word_embeddings.weight": (8, D), "head.weight": (8, D)}
    shapes |= {"backbone.ln_f.weight": (D,), "backbone.ln_f.bias": (D,)}
    for i in range(2):
        name = f"backbone.layers.{i}"
        shapes |= {f"{name}.{norm}.{part}": (D,) for norm in ("norm1", "norm2") for part in ("weight", "bias")}
        shapes |= {
            f"{name}.mixer.dt_bias": (H,),
            f"{name}.mixer.A_log": (H,),
            f"{name}.mixer.D": (H,),
            f"{name}.mixer.in_proj.weight": (2 * E + 2 * N + H, D),
            f"{name}.mixer.conv1d.weight": (E + 2 * N, 1, 4),
            f"{name}.mixer.conv1d.bias": (E + 2 * N,),
            f"{name}.mixer.norm.weight": (E,),
            f"{name}.mixer.out_proj.weight": (D, E),
            f"{name}.mlp.fc1.weight": (4 * D, D),
            f"{name}.mlp.fc1.bias": (4 * D,),
            f"{name}.mlp.fc2.weight": (D, 4 * D),
            f"{name}.mlp.fc2.bias": (D,),
        }
    renamed = {
        "backbone.embeddings.word_embeddings.weight": "embedding.weight",
        "head.weight": "lm_head.weight",
        "backbone.ln_f.weight": "norm_f.weight",
        "backbone.ln_f.bias": "norm_f.bias",
    }
    write = lightning("barcode-mamba-pretrain-epoch=49.ckpt")
    return Published(shapes, write, causal_oracles.barcode_mamba, "logprobs", renamed=renamed)


def mnemos_file(folder, tensors):
    """A run's model.pt."""
    torch.save({"model_state_dict": tensors, "step": 2000, "optimizer_state_dict": {"state": {}}}, folder / "model.pt")
    return folder / "model.pt"


def mnemos():
    D, H, inner = 8, 2, 12
    shapes = {"tok_emb.weight": (8, D), "final_norm.weight": (D,), "lm_head.weight": (8, D)}
    for i in range(2):
        name = f"blocks.{i}"
        shapes |= {f"{name}.{norm}.weight": (D,) for norm in ("attn_norm", "ffn_norm")}
        shapes |= {f"{name}.attn.{part}_proj.weight": (D, D) for part in ("q", "k", "v", "o", "alpha")}
        for part in ("q", "k", "v"):
            shapes |= {f"{name}.attn.{part}_conv.conv.weight": (D, 1, 4), f"{name}.attn.{part}_conv.conv.bias": (D,)}
        shapes |= {
            f"{name}.attn.A_log": (H,),
            f"{name}.attn.dt_bias": (D,),
            f"{name}.attn.beta_proj.weight": (H, D),
            f"{name}.attn.beta_proj.bias": (H,),
            f"{name}.ffn.w_gate.weight": (inner, D),
            f"{name}.ffn.w_up.weight": (inner, D),
            f"{name}.ffn.w_down.weight": (D, inner),
        }
    renamed = {name: name.replace("blocks.", "layers.") for name in shapes}
    renamed |= {"tok_emb.weight": "embedding.weight", "final_norm.weight": "norm_f.weight"}
    oracle = causal_oracles.mnemos
    return Published(shapes, mnemos_file, oracle, "logprobs", "lm_head.weight", "tok_emb.weight", renamed)


MODELS = {
    "Orthrus, 4 tracks, Lightning": orthrus(4, lightning("epoch=22-step=20000.ckpt", **ORTHRUS_HEAD)),
    "Orthrus, 6 tracks, folder": orthrus(6, orthrus_folder),
    "Caduceus's causal baseline": caduceus_causal(),
    "plant-dnamamba": plant_dnamamba(),
    "BarcodeMamba": barcode_mamba(),
    "Mnemos-DNA": mnemos(),
}
"""One of each, for derivatives."""

FILES = MODELS | {
    "Orthrus, safetensors": orthrus(4, tensors_file("model.safetensors")),
    "Orthrus, pt": orthrus(6, tensors_file("model.pt")),
}
"""Every kind of file."""

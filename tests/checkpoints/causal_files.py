"""Made-up files of the causal models that labs hold, with the names and shapes that their programs give to tensors."""

import json
from collections.abc import Callable
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

MODELS = {
    "Orthrus, 4 tracks, Lightning": orthrus(4, lightning("epoch=22-step=20000.ckpt", **ORTHRUS_HEAD)),
    "Orthrus, 6 tracks, folder": orthrus(6, orthrus_folder),
}
"""One of each, for derivatives."""

FILES = MODELS | {
    "Orthrus, safetensors": orthrus(4, tensors_file("model.safetensors")),
    "Orthrus, pt": orthrus(6, tensors_file("model.pt")),
}
"""Every kind of file."""

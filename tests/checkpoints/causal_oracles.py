"""Causal models written out from their publications: one base after the other, in float64, by the files' own names.

Nothing of the package is used here. Each function maps tensors by the names that a file gives them and x (L, 5),
one-hot over A, C, G, T and an indicator of N, to the model's output: log-probabilities (L, 4) or the last features.
"""

import torch
from torch.nn import functional


def layer_norm(x, tensors, name, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return (
        centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt() * tensors[f"{name}.weight"]
        + tensors[f"{name}.bias"]
    )


def rms_norm(x, weight, eps=1e-5):
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def convolved(u, weight, bias):
    """Causal convolution of each channel: the last tap is the base itself."""
    taps = weight.shape[-1]
    rows = []
    for t in range(len(u)):
        reached = [(k, t - taps + 1 + k) for k in range(taps) if t - taps + 1 + k >= 0]
        rows.append(sum((weight[:, 0, k] * u[s] for k, s in reached), torch.zeros_like(u[0])) + bias)
    return torch.stack(rows)


def mamba(x, tensors, name):
    """Mamba-1's mixer."""
    get = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    u, z = (x @ get["in_proj.weight"].T).chunk(2, -1)
    u = functional.silu(convolved(u, get["conv1d.weight"], get["conv1d.bias"]))
    rank, state = get["dt_proj.weight"].shape[1], get["A_log"].shape[1]
    low, B, C = (u @ get["x_proj.weight"].T).split([rank, state, state], -1)
    delta = functional.softplus(low @ get["dt_proj.weight"].T + get["dt_proj.bias"])
    A, h, rows = -get["A_log"].exp(), torch.zeros_like(get["A_log"]), []
    for t in range(len(x)):
        h = (delta[t, :, None] * A).exp() * h + (delta[t] * u[t])[:, None] * B[t]
        rows.append(h @ C[t] + get["D"] * u[t])
    return (torch.stack(rows) * functional.silu(z)) @ get["out_proj.weight"].T


def base_logprobs(logits, ids):
    return logits.log_softmax(-1)[:, list(ids[:4])]


def layers_of(tensors, before):
    return range(len({name.split(".")[before.count(".")] for name in tensors if name.startswith(before)}))


def orthrus(tensors, x):
    r = x[:, :4] @ tensors["embedding.weight"][:, :4].T + tensors["embedding.bias"]
    for i in layers_of(tensors, "layers."):
        r = r + mamba(layer_norm(r, tensors, f"layers.{i}.norm"), tensors, f"layers.{i}.mixer")
    return layer_norm(r, tensors, "norm_f")


def mamba_language_model(embedding, ids):
    """MambaLMHeadModel and MambaForCausalLM; ids are those of A, C, G, T, N."""

    def logprobs(tensors, x):
        r = x @ tensors[embedding][list(ids)]
        for i in layers_of(tensors, "backbone.layers."):
            name = f"backbone.layers.{i}"
            r = r + mamba(rms_norm(r, tensors[f"{name}.norm.weight"]), tensors, f"{name}.mixer")
        return base_logprobs(rms_norm(r, tensors["backbone.norm_f.weight"]) @ tensors[embedding].T, ids)

    return logprobs

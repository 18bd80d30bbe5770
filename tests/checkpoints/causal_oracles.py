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


def mamba2(x, tensors, name):
    """Mamba-2's mixer with one group of B and C, gated and then normalised."""
    get = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    heads, inner = len(get["A_log"]), get["out_proj.weight"].shape[1]
    state = (len(get["conv1d.bias"]) - inner) // 2
    z, uBC, step = (x @ get["in_proj.weight"].T).split([inner, inner + 2 * state, heads], -1)
    u, B, C = functional.silu(convolved(uBC, get["conv1d.weight"], get["conv1d.bias"])).split([inner, state, state], -1)
    delta, A = functional.softplus(step + get["dt_bias"]), -get["A_log"].exp()
    S, rows = x.new_zeros(heads, inner // heads, state), []
    for t in range(len(x)):
        u_t = u[t].reshape(heads, -1)
        S = (delta[t] * A).exp()[:, None, None] * S + (delta[t][:, None] * u_t)[:, :, None] * B[t]
        rows.append((S @ C[t] + get["D"][:, None] * u_t).flatten())
    return rms_norm(torch.stack(rows) * functional.silu(z), get["norm.weight"]) @ get["out_proj.weight"].T


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))


BARCODE_IDS = (3, 4, 5, 6, 7)


def barcode_features(tensors, x):
    r = x @ tensors["backbone.embeddings.word_embeddings.weight"][list(BARCODE_IDS)]
    for i in layers_of(tensors, "backbone.layers."):
        name = f"backbone.layers.{i}"
        r = r + mamba2(layer_norm(r, tensors, f"{name}.norm1"), tensors, f"{name}.mixer")
        inner = layer_norm(r, tensors, f"{name}.norm2") @ tensors[f"{name}.mlp.fc1.weight"].T
        inner = gelu_tanh(inner + tensors[f"{name}.mlp.fc1.bias"])
        r = r + inner @ tensors[f"{name}.mlp.fc2.weight"].T + tensors[f"{name}.mlp.fc2.bias"]
    return layer_norm(r, tensors, "backbone.ln_f")


def barcode_mamba(tensors, x):
    return base_logprobs(barcode_features(tensors, x) @ tensors["head.weight"].T, BARCODE_IDS)


MNEMOS_IDS = (3, 4, 5, 6, 7)


def kda(x, tensors, name):
    """Kimi delta attention, base by base: S <- diag(alpha) S; S += beta k (v - S^T k)^T; y = S^T q."""
    get = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    heads = len(get["A_log"])

    def short(branch):
        rows = convolved(
            x @ get[f"{branch}_proj.weight"].T, get[f"{branch}_conv.conv.weight"], get[f"{branch}_conv.conv.bias"]
        )
        return rows.reshape(len(x), heads, -1)

    q, k, v = short("q"), short("k"), short("v")
    q, k = (rows / rows.pow(2).sum(-1, keepdim=True).sqrt() for rows in (q, k))
    step = functional.softplus(x @ get["alpha_proj.weight"].T + get["dt_bias"]).reshape(len(x), heads, -1)
    alpha = (-get["A_log"].exp()[:, None] * step).exp()
    beta = torch.sigmoid(x @ get["beta_proj.weight"].T + get["beta_proj.bias"])
    outputs = []
    for head in range(heads):
        S, rows = x.new_zeros(q.shape[2], v.shape[2]), []
        for t in range(len(x)):
            S = torch.diag(alpha[t, head]) @ S
            S = S + beta[t, head] * torch.outer(k[t, head], v[t, head] - S.T @ k[t, head])
            rows.append(S.T @ q[t, head])
        outputs.append(torch.stack(rows))
    return torch.cat(outputs, 1) @ get["o_proj.weight"].T


def mnemos(tensors, x):
    r = x @ tensors["tok_emb.weight"][list(MNEMOS_IDS)]
    for i in layers_of(tensors, "blocks."):
        name = f"blocks.{i}"
        r = r + kda(rms_norm(r, tensors[f"{name}.attn_norm.weight"], 1e-6), tensors, f"{name}.attn")
        inner = rms_norm(r, tensors[f"{name}.ffn_norm.weight"], 1e-6)
        gate, up = (inner @ tensors[f"{name}.ffn.w_{part}.weight"].T for part in ("gate", "up"))
        r = r + (functional.silu(gate) * up) @ tensors[f"{name}.ffn.w_down.weight"].T
    return base_logprobs(rms_norm(r, tensors["final_norm.weight"], 1e-6) @ tensors["tok_emb.weight"].T, MNEMOS_IDS)

"""Caduceus written out: the formulas of the paper and its repository, base after base, in differentiable float64.

It shares nothing with the package but the names of the tensors.
"""

import torch
from torch.nn import functional


def rms(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def mamba(x, w, state_size):
    """One Mamba-1 mixer over x (L, D), by its recurrence."""
    inner = w["out_proj.weight"].shape[1]
    u, z = (x @ w["in_proj.weight"].T).split(inner, dim=-1)
    taps = w["conv1d.weight"].shape[2]
    rows = []
    for t in range(len(u)):
        total = w["conv1d.bias"]
        for k in range(taps):
            at = t - taps + 1 + k
            if at >= 0:
                total = total + w["conv1d.weight"][:, 0, k] * u[at]
        rows.append(functional.silu(total))
    h, ys, A = torch.zeros(inner, state_size, dtype=x.dtype), [], -torch.exp(w["A_log"])
    for t, row in enumerate(rows):
        rank = w["dt_proj.weight"].shape[1]
        low, B, C = (row @ w["x_proj.weight"].T).split([rank, state_size, state_size])
        delta = functional.softplus(low @ w["dt_proj.weight"].T + w["dt_proj.bias"])
        h = torch.exp(delta[:, None] * A) * h + (delta * row)[:, None] * B
        ys.append((h @ C + w["D"] * row) * functional.silu(z[t]))
    return torch.stack(ys) @ w["out_proj.weight"].T


def mamba2(x, w, config):
    """One Mamba-2 mixer over x (L, D), by its recurrence."""
    H, P, G, N = config.heads, config.head_dim, config.groups, config.d_state
    splits = [H * P, G * N, G * N]
    z, u, B, C, step = (x @ w["in_proj.weight"].T).split([H * P, *splits, H], dim=-1)
    fed, taps = torch.cat([u, B, C], dim=-1), w["conv1d.weight"].shape[2]
    group_of = torch.arange(H) // (H // G)
    S, ys = torch.zeros(H, P, N, dtype=x.dtype), []
    for t in range(len(x)):
        total = w["conv1d.bias"]
        for k in range(taps):
            at = t - taps + 1 + k
            if at >= 0:
                total = total + w["conv1d.weight"][:, 0, k] * fed[at]
        u_t, B_t, C_t = functional.silu(total).split(splits)
        u_t, B_t, C_t = u_t.view(H, P, 1), B_t.view(G, 1, N)[group_of], C_t.view(G, N, 1)[group_of]
        delta = functional.softplus(step[t] + w["dt_bias"])[:, None, None]
        S = torch.exp(-delta * torch.exp(w["A_log"])[:, None, None]) * S + delta * u_t * B_t
        y = (S @ C_t + w["D"][:, None, None] * u_t).reshape(G, -1) * functional.silu(z[t]).view(G, -1)
        ys.append((rms(y, 1.0, config.norm_eps)).flatten() * w["norm.weight"])
    return torch.stack(ys) @ w["out_proj.weight"].T


class Oracle:
    """Logits or log-probabilities of a Caduceus for a one-hot x (L, 5).

    Args:
        model: gives tensors by name, ids and the complement.
        swap: whether the strands are exchanged before every layer.
    """

    def __init__(self, model, config, *, swap):
        self.w = {name: tensor.double() for name, tensor in model.state_dict().items()}
        self.ids, self.config, self.swap = model.base_ids, config, swap

    def mixer(self, layer, which, x):
        prefix = f"layers.{layer}.mixer.{which}."
        own = {name.removeprefix(prefix): tensor for name, tensor in self.w.items() if name.startswith(prefix)}
        return mamba2(x, own, self.config) if "dt_bias" in own else mamba(x, own, self.config.d_state)

    def both_ways(self, layer, r):
        u = rms(r, self.w[f"layers.{layer}.norm.weight"], self.config.norm_eps)
        return self.mixer(layer, "mamba_fwd", u) + self.mixer(layer, "mamba_rev", u.flip(0)).flip(0)

    def logits(self, x, masked=None):
        embedding = self.w["embedding.weight"]
        head = self.w.get("lm_head.weight", embedding)
        ids = [*self.ids[:4], self.ids.n]
        a = x @ embedding[ids]
        if masked is not None:
            a = torch.where(masked[:, None], embedding[self.config.mask_id], a)
        norm_f = self.w["norm_f.weight"]
        if not self.config.both_strands:
            for layer in range(self.config.n_layer):
                a = a + self.both_ways(layer, a)
            return rms(a, norm_f, self.config.norm_eps) @ head.T
        complement = self.w["complement"].long()
        # The other strand in its own order.
        b = (x @ embedding[complement[ids]]).flip(0)
        if masked is not None:
            b = torch.where(masked.flip(0)[:, None], embedding[complement[self.config.mask_id]], b)
        for layer in range(self.config.n_layer):
            if self.swap:
                a, b = b.flip(0, 1), a.flip(0, 1)
            a, b = a + self.both_ways(layer, a), b + self.both_ways(layer, b)
        a, b = (rms(strand, norm_f, self.config.norm_eps) for strand in (a, b))
        return a @ head.T + b.flip(0) @ head[complement].T

    def logprobs(self, x, masked=None):
        return functional.log_softmax(self.logits(x, masked), dim=-1)[:, list(self.ids[:4])]

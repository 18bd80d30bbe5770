"""Made-up files of models that cannot be streamed: small tensors under the names that the real ones have."""

import json

import torch


def tensors(*names):
    return {name: torch.ones(2, 2) for name in names}


def layers(form, count, *names):
    return tensors(*(form.format(i) + name for i in range(count) for name in names))


HYENA = tensors("backbone.embeddings.word_embeddings.weight") | layers(
    "backbone.layers.{}.",
    2,
    "mixer.in_proj.weight",
    "mixer.out_proj.weight",
    "mixer.short_filter.weight",
    "mixer.filter_fn.bias",
    "mixer.filter_fn.implicit_filter.0.weight",
    "mixer.filter_fn.implicit_filter.1.freq",
    "mixer.filter_fn.pos_emb.z",
    "mixer.filter_fn.modulation.deltas",
    "mlp.fc1.weight",
    "norm1.weight",
)
BERT = tensors("bert.embeddings.word_embeddings.weight") | layers(
    "bert.encoder.layer.{}.",
    2,
    "attention.self.query.weight",
    "attention.self.key.weight",
    "attention.output.dense.weight",
    "intermediate.dense.weight",
)
LLAMA = tensors("model.embed_tokens.weight", "lm_head.weight") | layers(
    "model.layers.{}.",
    2,
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "mlp.gate_proj.weight",
    "input_layernorm.weight",
)
GPT2 = tensors("transformer.wte.weight") | layers(
    "transformer.h.{}.", 2, "ln_1.weight", "attn.c_attn.weight", "mlp.c_fc.weight"
)
TORCH = layers(
    "encoder.layers.{}.", 2, "self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "norm1.weight"
)
FLASH = layers("encoder.layers.{}.", 2, "mixer.Wqkv.weight", "mixer.out_proj.weight", "mlp.fc1.weight")
MAMBA = ("A_log", "D", "in_proj.weight", "conv1d.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight")
JAMBA = (
    tensors("model.embed_tokens.weight")
    | layers("model.layers.{}.mamba.", 1, *MAMBA)
    | tensors(
        "model.layers.0.feed_forward.gate_proj.weight",
        "model.layers.1.self_attn.q_proj.weight",
        "model.layers.1.self_attn.k_proj.weight",
        "model.layers.2.feed_forward.router.weight",
        "model.layers.2.feed_forward.experts.0.gate_proj.weight",
    )
)
MIXTRAL = layers(
    "model.layers.{}.", 2, "mamba.A_log", "block_sparse_moe.gate.weight", "block_sparse_moe.experts.0.w1.weight"
)
EVO = (
    tensors("embedding_layer.weight")
    | layers(
        "blocks.{}.", 2, "filter.poles", "filter.residues", "filter.D", "filter.short_filter_weight", "mlp.l1.weight"
    )
    | tensors("blocks.2.inner_mha_cls.Wqkv.weight", "blocks.2.inner_mha_cls.out_proj.weight", "blocks.2.mlp.l1.weight")
)
EVO_2 = layers("blocks.{}.", 2, "filter.h", "filter.D") | tensors(
    "blocks.2.filter.log_poles", "blocks.3.inner_mha_cls.Wqkv.weight"
)
MAMBA_3 = tensors("backbone.embedding.weight") | layers(
    "backbone.layers.{}.", 2, "mixer.in_proj.weight", "mixer.B_bias", "mixer.C_bias", "mixer.out_proj.weight"
)
CHUNKS = tensors("encoder.layers.0.mixer.A_log", "routing_module.q_proj_layer.weight")

FILES = {
    "HyenaDNA": (HYENA, "backbone.layers.0.mixer.filter_fn", "an implicit long convolution"),
    "BERT": (BERT, "bert.encoder.layer.0.attention", "attention"),
    "Llama": (LLAMA, "layers.0.self_attn", "attention"),
    "GPT-2": (GPT2, "transformer.h.0.attn", "attention"),
    "torch.nn.MultiheadAttention": (TORCH, "encoder.layers.0.self_attn", "attention"),
    "flash attention": (FLASH, "encoder.layers.0.mixer", "attention"),
    "Jamba": (JAMBA, "layers.1.self_attn", "attention"),
    "experts": (MIXTRAL, "layers.0.block_sparse_moe", "a mixture of experts"),
    "Evo": (EVO, "blocks.0.filter", "a Hyena operator between layers of attention"),
    "Evo 2": (EVO_2, "blocks.0.filter", "a Hyena operator between layers of attention"),
    "chunks": (CHUNKS, "routing_module", "a router of chunks"),
    "Mamba-3": (MAMBA_3, "backbone.layers.0.mixer", "a Mamba-3 mixer"),
}
"""Tensors, the layer that is named, and what it is."""

CONFIGS = {
    "HyenaDNA": ({"model_type": "hyenadna", "d_model": 128, "n_layer": 2}, "each layer", "HyenaDNA"),
    "HyenaDNA by its class": ({"architectures": ["HyenaDNAForCausalLM"]}, "each layer", "HyenaDNA"),
    "DNABERT": ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "each layer", "attention"),
    "DNABERT-2": ({"architectures": ["BertForMaskedLM"]}, "each layer", "attention"),
    "any with heads": ({"model_type": "omnidna", "num_attention_heads": 8}, "each layer", "attention"),
    "Jamba": (
        {"model_type": "jamba", "attn_layer_offset": 4, "attn_layer_period": 8, "num_experts": 16},
        "each layer",
        "a mixture of experts",
    ),
    "Jamba without experts": (
        {"model_type": "jamba", "attn_layer_offset": 4, "num_experts": 1},
        "layer 4",
        "attention",
    ),
    "Nemotron-H": ({"model_type": "nemotron_h", "hybrid_override_pattern": "M-M*"}, "layer 3", "attention"),
    "layers by name": (
        {"model_type": "some", "layer_types": ["linear_attention", "full_attention"]},
        "layer 1",
        "attention",
    ),
    "mamba_ssm hybrid": ({"d_model": 8, "n_layer": 3, "attn_layer_idx": [2, 1]}, "layer 1", "attention"),
    "Mixtral": ({"model_type": "new", "num_local_experts": 8}, "each layer", "a mixture of experts"),
    "Evo": (
        {"model_type": "stripedhyena", "attn_layer_idxs": [8, 16], "hyena_layer_idxs": [0, 1]},
        "layer 0",
        "StripedHyena (Evo)",
    ),
    "Mamba-3": ({"d_model": 8, "n_layer": 3, "ssm_cfg": {"layer": "Mamba3"}}, "each layer", "Mamba-3"),
    "Evo 2": ({"model_type": "evo2"}, "each layer", "StripedHyena (Evo)"),
}
"""Fields of config.json, the layer that is named, and whose it is."""


def write_folder(folder, config, weights=None, **files):
    """Write a model folder: settings, perhaps tensors, and other files of JSON."""
    folder.mkdir(exist_ok=True)
    for name, content in {"config": config, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    if weights is not None:
        torch.save(weights, folder / "pytorch_model.bin")
    return folder

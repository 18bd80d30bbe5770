"""Hugging Face folders as transformers writes them, and ways to change them."""

import json

import torch

TOKENS = {"<unk>": 0, "<pad>": 1, "A": 4, "T": 5, "C": 6, "G": 7, "N": 8}


MAMBA2_SSM = {
    "d_model": 8,
    "d_intermediate": 0,
    "n_layer": 2,
    "vocab_size": 11,
    "ssm_cfg": {"layer": "Mamba2", "d_state": 3, "headdim": 4, "ngroups": 2},
    "attn_layer_idx": [],
    "rms_norm": True,
    "pad_vocab_size_multiple": 16,
    "tie_embeddings": True,
}
"""config.json of such a model as mamba_ssm writes it."""


def make_hub_model(**settings):
    from transformers import MambaConfig as HubConfig
    from transformers import MambaForCausalLM

    torch.manual_seed(1)
    sizes = {"vocab_size": 11, "hidden_size": 8, "state_size": 4, "num_hidden_layers": 3, "time_step_rank": 2}
    return MambaForCausalLM(HubConfig(**(sizes | settings))).eval()


def make_hub_mamba2(**settings):
    from transformers import Mamba2Config, Mamba2ForCausalLM

    torch.manual_seed(1)
    sizes = {"vocab_size": 16, "hidden_size": 8, "state_size": 3, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 4}
    return Mamba2ForCausalLM(Mamba2Config(**(sizes | {"n_groups": 2} | settings))).eval()


def write_tokenizer(folder, vocab=TOKENS, **model):
    tokenizer = {"model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>", **model}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def edit_json(path, **changes):
    """Change fields of a JSON file; None removes one."""
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))

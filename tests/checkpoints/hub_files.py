"""Hugging Face folders as transformers writes them, and ways to change them."""

import json

import torch

TOKENS = {"<unk>": 0, "<pad>": 1, "A": 4, "T": 5, "C": 6, "G": 7, "N": 8}


def make_hub_model(**settings):
    from transformers import MambaConfig as HubConfig
    from transformers import MambaForCausalLM

    torch.manual_seed(1)
    sizes = {"vocab_size": 11, "hidden_size": 8, "state_size": 4, "num_hidden_layers": 3, "time_step_rank": 2}
    return MambaForCausalLM(HubConfig(**(sizes | settings))).eval()


def write_tokenizer(folder, vocab=TOKENS, **model):
    tokenizer = {"model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>", **model}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def edit_json(path, **changes):
    """Change fields of a JSON file; None removes one."""
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))

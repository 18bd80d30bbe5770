"""transformers' Mamba as an oracle: random weights, real bases with a run of N, and a folder that holds both."""

import copy
import json

import numpy as np
import pytest
import torch
from exact_transformers import no_casts_to_float32
from toy_runs import TOY_RECORDS, save_toy_model

from pgf_cli.cli.demo import sample_data
from pgf_cli.genome import Genome
from pgf_cli.progress import SilentProgress
from pgf_cli.runs import Provenance, plan_run, run
from pgf_cli.settings import RunSettings

LETTERS = "ACGTN"
TOKENS = {"[UNK]": 0, "T": 1, "A": 2, "N": 3, "G": 4, "C": 5}
N_RUN = slice(100, 145)


@pytest.fixture(scope="module")
def oracle_model():
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(5)
    config = MambaConfig(vocab_size=8, hidden_size=24, state_size=8, num_hidden_layers=3, time_step_rank=3)
    model = MambaForCausalLM(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        # Fresh models are nearly linear with tiny outputs; larger weights make every term of the derivative count.
        if "proj" in name or "embeddings" in name or "conv1d" in name:
            parameter.mul_(6.0 if "embeddings" in name else 1.5)
    return model


@pytest.fixture(scope="module")
def bases():
    """Real bases of the human mitochondrion around its own N, and a run of N longer than the tile."""
    text = "".join((sample_data() / "human_MT.fa").read_text().splitlines()[1:])
    chosen = list(text[3107 - 230 : 3107 + 50])
    chosen[N_RUN] = "N" * (N_RUN.stop - N_RUN.start)
    return "".join(chosen)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, oracle_model, bases):
    folder = tmp_path_factory.mktemp("oracle")
    oracle_model.save_pretrained(folder / "model")
    tokenizer = {"model": {"type": "WordLevel", "vocab": TOKENS, "unk_token": "[UNK]"}, "added_tokens": []}
    (folder / "model" / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "mt.fa").write_text(f">MT\n{bases[:70].lower()}{bases[70:]}\n")
    return folder


@pytest.fixture
def carry_out(folder, tmp_path):
    """Run the tangent on that record, a few bases a tile."""

    def carry_out(progress=None, **settings):
        settings = {"output": f"{tmp_path}/", "mode": "tangent", "tile": 16} | settings
        chosen = RunSettings(fasta=folder / "mt.fa", model=folder / "model", **settings)
        with Genome.open(chosen.fasta) as genome:
            return run(plan_run(chosen, genome), Provenance([], {}), progress or SilentProgress())

    return carry_out


@pytest.fixture(scope="module")
def oracle(oracle_model, bases):
    """The oracle in float64: its log-probabilities of A, C, G, T as a function of x (L, 5), and what x is."""

    class Oracle:
        codes = np.array([LETTERS.index(letter) for letter in bases])
        ids = tuple(TOKENS[letter] for letter in LETTERS)
        model = copy.deepcopy(oracle_model).double()
        x = torch.eye(5, dtype=torch.float64)[codes]

        def log_probabilities(self, x):
            embedded = (x @ self.model.backbone.embeddings.weight[list(self.ids)])[None]
            logits = self.model(inputs_embeds=embedded, use_cache=False).logits[0]
            return torch.log_softmax(logits, -1)[:, list(self.ids[:4])]

        exact = staticmethod(no_casts_to_float32)

    return Oracle()


@pytest.fixture
def toy(tmp_path):
    """A folder with genome.fa, three records with N and soft-masked bases, and model.safetensors."""
    folder = tmp_path / "toy"
    folder.mkdir()
    save_toy_model(folder / "model.safetensors")
    generator = np.random.default_rng(11)
    with (folder / "genome.fa").open("w") as file:
        for name, length in TOY_RECORDS.items():
            letters = "".join(generator.choice(list("ACGT"), length))
            file.write(f">{name}\n{letters[:30].lower()}{letters[30:50]}NNNNN{letters[55:]}\n")
    return folder


@pytest.fixture
def toy_run(toy):
    """Run the toy model on the toy genome, 16 bases a tile; returns the manifest's path."""

    def toy_run(output, progress=None, **settings):
        files = {"fasta": toy / "genome.fa", "model": toy / "model.safetensors", "output": str(output)}
        small = {"tile": 16, "ghost_distance": 40, "hit_distance": 10, "probe_depth": 0}
        chosen = RunSettings(**(files | small | settings))
        chosen.prefix.parent.mkdir(exist_ok=True)
        with Genome.open(chosen.fasta) as genome:
            return run(plan_run(chosen, genome), Provenance([], {}), progress or SilentProgress())

    return toy_run

"""A small model, a listener that breaks runs off, and what two runs must have in common."""

import json

import torch

from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.core.models import BaseIds, FrechetConfig, FrechetModel, MambaConfig, MambaLM
from pgf_cli.progress import SilentProgress

TOY_IDS = BaseIds(3, 1, 2, 0, 5)
TOY_RECORDS = {"chr1": 250, "chr2": 60, "chr3": 130}


def save_toy_model(path, seed=0):
    """A small Mamba of random weights whose effects are still felt hundreds of bases on."""
    torch.manual_seed(seed)
    config = MambaConfig(d_model=6, n_layer=2, d_inner=10, d_state=4, d_conv=4, dt_rank=2, vocab_size=6)
    model = MambaLM(config, TOY_IDS, "logprobs").requires_grad_(False)
    for block in model.blocks:
        block.mixer.dt_proj.bias.fill_(-4.0)
    save_checkpoint(path, config, model.state_dict(), TOY_IDS)


def save_frechet(path):
    """A small Frechet operator of random weights; returns the path."""
    torch.manual_seed(3)
    config = FrechetConfig(d_model=3, d_state=2, embedded=True)
    save_checkpoint(path, config, FrechetModel(config).state_dict(), None)
    return path


class Watch(SilentProgress):
    """Remembers what it is told; breaks the run off, as Ctrl-C does, or does something once, after so many bases."""

    def __init__(self, after=None, do=None):
        self.total, self.done, self.read, self.messages = None, None, 0, []
        self._after, self._do = after, do

    def message(self, text):
        self.messages.append(text)

    def begin(self, total, done=0):
        self.total, self.done = total, done

    def advance(self, bases, doing):
        self.read += bases
        if self._after is not None and self.read > self._after:
            self._after = None
            if self._do is None:
                raise KeyboardInterrupt
            self._do()


def written(manifest):
    """The bytes of a run's outputs by name, the manifest apart, all that its folder holds."""
    return {path.name: path.read_bytes() for path in manifest.parent.iterdir() if path != manifest}


def said(manifest):
    """What a manifest says, but for times, memory and where it is."""
    content = json.loads(manifest.read_text())
    for name in ("started", "seconds", "command"):
        del content[name]
    for name in ("output", "resume", "force"):
        del content["settings"][name]
    for record in content["records"]:
        for name in ("seconds", "bases_per_second", "peak_memory_bytes"):
            del record[name]
    return content


def listing(folder):
    """Names of what a folder holds, sorted."""
    return sorted(path.name for path in folder.iterdir())

import importlib.util
from pathlib import Path

import torch

from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM
from pgf_cli.training import initial_weights

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"


def test_the_committed_random_checkpoint_is_drawn_again_byte_for_byte(tmp_path):
    spec = importlib.util.spec_from_file_location("maker", SAMPLE_DATA / "make_random_checkpoint.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    weights = initial_weights(maker.CONFIG, maker.SEED, final_gain=maker.FINAL_GAIN)
    save_checkpoint(tmp_path / "again.safetensors", maker.CONFIG, weights, BaseIds(0, 1, 2, 3, 4), maker.NOTE)
    assert (tmp_path / "again.safetensors").read_bytes() == (SAMPLE_DATA / "mamba_random.safetensors").read_bytes()


def test_every_tensor_of_an_untied_model_is_drawn_and_steps_lie_where_mamba_wants_them():
    config = MambaConfig(d_model=6, n_layer=2, d_inner=10, d_state=3, d_conv=4, dt_rank=2, vocab_size=5, tied=False)
    weights = initial_weights(config, 1)
    MambaLM(config, BaseIds(0, 1, 2, 3, 4), "logprobs").load_state_dict(weights, strict=True)
    steps = torch.nn.functional.softplus(weights["layers.1.mixer.dt_proj.bias"].double())
    assert bool(((steps > 0.00099) & (steps < 0.101)).all())
    assert not torch.equal(weights["lm_head.weight"], initial_weights(config, 2)["lm_head.weight"])

import pytest
import torch
from hub_files import make_hub_model, write_tokenizer

from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM

BASE_IDS = BaseIds(0, 1, 2, 3, 4)


@pytest.fixture
def config():
    return MambaConfig(d_model=6, n_layer=2, d_inner=10, d_state=3, d_conv=4, dt_rank=2, vocab_size=5)


@pytest.fixture
def tensors(config):
    torch.manual_seed(0)
    return {name: tensor.detach() for name, tensor in MambaLM(config, BASE_IDS, "logits").state_dict().items()}


@pytest.fixture(scope="session")
def hub_model():
    """A tiny Mamba of transformers with three layers and a head that is its embedding."""
    return make_hub_model()


@pytest.fixture
def hub_folder(hub_model, tmp_path):
    """The model as save_pretrained writes it, with a tokenizer written by hand."""
    folder = tmp_path / "hub"
    hub_model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder

"""transformers' Mamba with our weights, differentiated forwards and backwards by torch.

Without CUDA kernels it has three ways through the recurrence: a loop over time, mambapy's parallel scan, and under
torch.compile torch's associative scan.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
from pgf_cli.bench.framework.contestants import Contestant, Derivation, on_torch_threads
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models import Mamba2LM, MambaLM
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.one_hot import one_hot

if TYPE_CHECKING:
    from transformers import Mamba2ForCausalLM, MambaForCausalLM

FORWARD = "transformers, forward mode"
REVERSE = "transformers, reverse mode"
MAMBAPY_FORWARD = "transformers with mambapy, forward mode"
MAMBAPY = "transformers with mambapy, reverse mode"
MAMBA2_FORWARD = "transformers' Mamba-2, forward mode"
MAMBA2_REVERSE = "transformers' Mamba-2, reverse mode"
MAMBA2_LONG = "transformers' Mamba-2, reverse mode, long"
COMPILED = "transformers, torch.compile, reverse mode"

LogProbabilities = Callable[[Tensor], Tensor]


class Peer:
    """The contestants that one of our models has among transformers'.

    Args:
        model: whose weights they are given; its output is ``logprobs``.
        seed: of the bases.
        threads: of torch.
    """

    def __init__(self, model: MambaLM | Mamba2LM, seed: int, threads: int) -> None:
        self._model, self._seed, self._threads = model, seed, threads

    def forward_mode(self, name: str = FORWARD, *, mambapy: bool = False) -> Contestant:
        """Return torch.func.jvp along the contrast."""
        return Contestant(name, partial(self._tangent, mambapy), same_as=TANGENT, rival=True)

    def reverse_mode(self, name: str = REVERSE, *, mambapy: bool = False) -> Contestant:
        """Return autograd of the log-likelihood."""
        return Contestant(name, partial(self._adjoint, mambapy, False), same_as=ADJOINT, rival=True)

    def compiled(self) -> Contestant:
        """Return autograd of the log-likelihood under torch.compile, which takes minutes to compile each length."""
        prepare = partial(self._adjoint, False, True)
        return Contestant(COMPILED, prepare, same_as=ADJOINT, rival=True, tried_shorter=False)

    def _tangent(self, mambapy: bool, length: int) -> Derivation:
        x = self._one_hot(length)
        v = Contrast().tangents(0, x)[0]
        log_p = self._log_probabilities(mambapy=mambapy)

        def run() -> Tensor:
            with torch.no_grad():
                _, y_dot = torch.func.jvp(log_p, (x,), (v,))  # type: ignore[misc]
            result: Tensor = y_dot
            return result

        return on_torch_threads(self._threads, run)

    def _adjoint(self, mambapy: bool, compiled: bool, length: int) -> Derivation:
        codes = random_bases(length, self._seed)
        w = LogLikelihood(None, self._model.dtype, self._model.device).weights(0, codes, None)
        log_p = self._log_probabilities(mambapy=mambapy)
        if compiled:
            log_p = torch.compile(log_p, dynamic=False)

        def run() -> Tensor:
            x = self._one_hot(length).requires_grad_()
            return torch.autograd.grad((w * log_p(x)).sum(), x)[0][:, :4]

        return on_torch_threads(self._threads, run)

    def _one_hot(self, length: int) -> Tensor:
        return one_hot(random_bases(length, self._seed), self._model.dtype, self._model.device)

    def _log_probabilities(self, *, mambapy: bool) -> LogProbabilities:
        """Return log p of A, C, G and T (L, 4) as a function of x (L, 5)."""
        if mambapy:
            # transformers would quietly do without it.
            import_module("mambapy.pscan")
        peer = (
            transformers_mamba2(self._model)
            if isinstance(self._model, Mamba2LM)
            else transformers_twin(self._model, mambapy=mambapy)
        )
        rows = self._model.embedding.weight[list(self._model.base_ids)]
        bases = list(self._model.base_ids[:4])

        def log_p(x: Tensor) -> Tensor:
            logits: Tensor = peer(inputs_embeds=(x @ rows)[None], use_cache=False).logits[0]
            return torch.log_softmax(logits, dim=-1)[:, bases]

        return log_p


def transformers_twin(model: MambaLM, *, mambapy: bool) -> "MambaForCausalLM":
    """Return transformers' model of the same sizes with the same weights.

    Raises:
        ImportError: transformers is not installed.
    """
    import transformers  # noqa: PLC0415  an extra

    sizes = model.config
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    config = transformers.MambaConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.d_model,
        state_size=sizes.d_state,
        num_hidden_layers=sizes.n_layer,
        expand=sizes.d_inner // sizes.d_model,
        conv_kernel=sizes.d_conv,
        time_step_rank=sizes.dt_rank,
        layer_norm_epsilon=sizes.norm_eps,
        use_mambapy=mambapy,
        use_cache=False,
    )
    twin = transformers.MambaForCausalLM(config).requires_grad_(False)
    twin.load_state_dict(_their_names(model))
    twin.train(mambapy)
    return twin


def transformers_mamba2(model: Mamba2LM) -> "Mamba2ForCausalLM":
    """Return transformers' Mamba-2 of the same sizes with the same weights.

    Raises:
        ImportError: transformers is not installed.
    """
    import transformers  # noqa: PLC0415  an extra

    sizes = model.config
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    config = transformers.Mamba2Config(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.d_model,
        num_hidden_layers=sizes.n_layer,
        num_heads=sizes.heads,
        head_dim=sizes.head_dim,
        state_size=sizes.d_state,
        n_groups=sizes.groups,
        expand=sizes.d_inner // sizes.d_model,
        conv_kernel=sizes.d_conv,
        layer_norm_epsilon=sizes.norm_eps,
        tie_word_embeddings=sizes.tied,
        use_cache=False,
    )
    twin = transformers.Mamba2ForCausalLM(config).requires_grad_(False)
    twin.load_state_dict(_their_names(model))
    twin.train(False)
    return twin


def _their_names(model: MambaLM | Mamba2LM) -> dict[str, Tensor]:
    weights = model.state_dict().items()
    named = {f"backbone.{name.replace('embedding.', 'embeddings.')}": weight for name, weight in weights}
    return named | {"lm_head.weight": model.embedding.weight}

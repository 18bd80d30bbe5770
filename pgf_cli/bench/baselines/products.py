"""The arithmetic bound: the matrix products of a Mamba's layers and nothing else."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pgf_cli.bench.framework.contestants import Contestant, Derivation, on_torch_threads
from pgf_cli.core.models.mamba import MambaLM
from pgf_cli.core.ops.linear import linear
from pgf_cli.core.threads import flush_denormals

Product = Callable[[Tensor, Tensor], object]


def products_name(directions: int, how: str) -> str:
    """Return the name of a bound."""
    return f"products, K = {directions}, {how}"


def bounds(model: MambaLM, tile: int, directions: tuple[int, ...], threads: int) -> list[Contestant]:
    """Return for each K the products of (1 + K) rows a base, by our panels and by torch on all its threads.

    The faster of the two is the bound. Inputs of one tile are multiplied again and again, so that nothing but the
    products is timed.

    Args:
        model: whose weights are multiplied; the embedding and the head, a 500th of the work, are left out.
        tile: bases per tile.
        directions: each K; 0 is the primal alone.
        threads: of torch.
    """

    def panels(count: int, length: int) -> Derivation:
        return partial(_multiply, model, linear, tile, count, length)

    def whole(count: int, length: int) -> Derivation:
        return on_torch_threads(threads, partial(_multiply, model, _mm, tile, count, length))

    ways = {"our panels": panels, "torch": whole}
    return [
        Contestant(products_name(count, how), partial(way, count)) for count in directions for how, way in ways.items()
    ]


def _mm(rows: Tensor, weight: Tensor) -> Tensor:
    return torch.mm(rows, weight.T)


def _multiply(model: MambaLM, product: Product, tile: int, directions: int, length: int) -> None:
    weights = [
        projection.weight
        for mixer in (block.mixer for block in model.blocks)
        for projection in (mixer.in_proj, mixer.x_proj, mixer.dt_proj, mixer.out_proj)
    ]
    rows = (1 + directions) * min(tile, length)
    inputs = {weight.shape[1]: torch.ones(rows, weight.shape[1]) for weight in weights}
    with torch.no_grad(), flush_denormals():
        for start in range(0, length, tile):
            here = (1 + directions) * min(tile, length - start)
            for weight in weights:
                product(inputs[weight.shape[1]][:here], weight)

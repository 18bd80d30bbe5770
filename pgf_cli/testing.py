"""Tests that a model family gets for free: derivatives against its own ``forward``, tiles, state, output, files.

    @pytest.mark.parametrize("check", pgf_cli.testing.CHECKS, ids=lambda check: check.__name__)
    def test_my_family(check):
        check(MyModel, d_model=3)

A check raises ``AssertionError`` that says what is wrong; ``check_family`` makes all of them. Everything is computed in
float64 on some dozen bases, with random weights, so it takes seconds. The independent source of the derivatives is
finite differences of ``forward``; that ``forward`` is the model that you mean is yours to test.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from pgf_cli.checkpoints import CheckpointError, read_checkpoint
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.own_family import load_family
from pgf_cli.core.bases import N_CODE, BaseCodes
from pgf_cli.core.directions import RandomNormal
from pgf_cli.core.models.protocol import BaseIds, State, StreamingModel, map_state
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import adjoint_sweep, leaves, tangent_sweep

LENGTHS = (1, 2, 3, 18)
TILES = (1, 16)
"""Beside the whole sequence in one; 16 does not divide 18."""
ROUNDING = 1e-12
"""Relative, for two ways to one number in float64."""
DIFFERENCES = 1e-6
"""Relative, for finite differences."""

_STEP = 1e-3
_DIRECTIONS = 2
_SCALE = 0.3
"""Standard deviation of the random weights."""


class Check(Protocol):
    """A check of a model family."""

    __name__: str

    def __call__(
        self, family: object, tensors: Mapping[str, Tensor] | None = None, **sizes: int | float | bool
    ) -> None:
        """Check a family.

        Args:
            family: a subclass of ``StreamingModel``, a ``Family``, or ``"package.module:Class"``.
            tensors: weights by name; None: normal ones of standard deviation 0.3.
            sizes: the config's fields.

        Raises:
            AssertionError: it is wrong; the message says in what.
        """
        ...


def check_family(family: object, tensors: Mapping[str, Tensor] | None = None, **sizes: int | float | bool) -> None:
    """Make all checks of a family; arguments and errors as ``Check``."""
    for check in CHECKS:
        check(family, tensors, **sizes)


def _of_each_model(check: Callable[[StreamingModel], None]) -> Check:
    """Make a check of a family of a check of one model: every output that it can be asked for."""

    def whole(family: object, tensors: Mapping[str, Tensor] | None = None, **sizes: int | float | bool) -> None:
        found = load_family(family, Path()).family
        for output in found.output_layers(found.config(**sizes)):
            check(_model(found, tensors, sizes, output))

    whole.__name__, whole.__doc__ = check.__name__, check.__doc__
    return whole


@_of_each_model
def tangent_is_finite_differences(model: StreamingModel) -> None:
    """J v of a sweep in tiles equals central differences of ``forward`` over the whole sequence, extrapolated."""
    for what, codes in _sequences(model):
        x = one_hot(codes, model.dtype, model.device)
        for v, y_dot in zip(_directions(x), _tangent(model, codes, 16)[1], strict=True):
            _close(y_dot, _difference(model, x, v), DIFFERENCES, f"J v and finite differences over {what}")


@_of_each_model
def adjoint_identity_holds(model: StreamingModel) -> None:
    """<w, J v> = <J^T w, v> for random w and v, the one by the tangent sweep and the other by the adjoint's."""
    for what, codes in _sequences(model):
        y_dot = _tangent(model, codes, 16)[1]
        w = _weights(y_dot[0])
        x_bar = _adjoint(model, codes, w, 16)
        for v, along in zip(_directions(one_hot(codes, model.dtype, model.device)), y_dot, strict=True):
            gap, size = ((w * along).sum() - (x_bar * v).sum()).abs().item(), (w.norm() * along.norm()).item()
            assert gap <= ROUNDING * size, f"<w, J v> and <J^T w, v> over {what} are apart by {gap:.1e} of {size:.1e}"


@_of_each_model
def tiles_change_nothing(model: StreamingModel) -> None:
    """Output, tangents and adjoint are the same in tiles of 1, of 16 and in one: only the state passes between them."""
    for what, codes in _sequences(model):
        y, y_dot = _tangent(model, codes, len(codes))
        w = _weights(y)
        x_bar = _adjoint(model, codes, w, len(codes))
        for tile in TILES:
            tiled, tiled_dot = _tangent(model, codes, tile)
            where = f"in tiles of {tile} and in one, over {what}"
            _close(tiled, y, ROUNDING, f"the output {where}")
            _close(tiled_dot, y_dot, ROUNDING, f"J v {where}")
            _close(_adjoint(model, codes, w, tile), x_bar, ROUNDING, f"J^T w {where}")


@_of_each_model
def state_is_of_fixed_size_and_left_alone(model: StreamingModel) -> None:
    """The state has the same shapes after any number of bases, and ``forward`` does not change what it is given."""
    x = one_hot(_codes(40), model.dtype, model.device)
    with torch.no_grad():
        before = model.initial_state(x[: model.lookahead])
        kept = map_state(torch.clone, before)
        shapes = _shapes(before)
        y, after = model.forward(x[:7], before)
        assert _shapes(after) == shapes, f"the state is {_shapes(after)} after 7 bases, before them {shapes}"
        assert _shapes(model.forward(x[7:], after)[1]) == shapes, "the state grows with the sequence"
        for now, then in zip(leaves(before), leaves(kept), strict=True):
            assert torch.equal(now, then), "forward changes the state that it is given; make a new one"
        again = model.forward(x[:7], before)[0]
    assert torch.equal(again, y), (
        "forward over the same bases from the same state gives two outputs: it keeps something"
    )


@_of_each_model
def output_is_in_its_form(model: StreamingModel) -> None:
    """A row a base, finite, in the weights' number format; ``logprobs`` are log-probabilities of four bases."""
    x = one_hot(_codes(9), model.dtype, model.device)
    with torch.no_grad():
        for dtype in (torch.float32, torch.float64):
            model = model.to(dtype)
            y, state = model.forward(x.to(dtype), model.initial_state(x[: model.lookahead].to(dtype)))
            found = {part.dtype for part in (y, *leaves(state))}
            assert found == {dtype}, f"output and state are in {found}, where the weights are in {dtype}"
    assert (y.ndim, len(y)) == (2, len(x)), f"the output of {len(x)} bases has shape {tuple(y.shape)}"
    assert bool(torch.isfinite(y).all()), "the output is not finite"
    if model.output == "logprobs":
        total = float(y.exp().sum(dim=1).max())
        assert y.shape[1] == 4, f"logprobs have {y.shape[1]} columns, not one for each of A, C, G and T"
        assert total <= 1 + 1e-9, f"the probabilities of the four bases sum to {total:.3f}"


def files_are_checked(family: object, tensors: Mapping[str, Tensor] | None = None, **sizes: int | float | bool) -> None:
    """Tensors come back from .pt and .safetensors; one that is missing, misshapen or too many is named."""
    found = load_family(family, Path()).family
    weights = _tensors(found, tensors, sizes)
    # A name of the model's own beside its own.
    part = next(iter(weights)).partition(".")[0]
    with tempfile.TemporaryDirectory() as folder:
        for path, save in ((Path(folder, "model.pt"), torch.save), (Path(folder, "model.safetensors"), save_file)):
            save(weights, path)
            read = _read(path, family, found)
            told = {name: getattr(read.config, name) for name in sizes}
            assert told == sizes, f"{told} was read from tensors of {sizes}"
            for name, tensor in weights.items():
                assert torch.equal(read.tensors[name], tensor), f"{name} was read as another tensor"
            for name, tensor in weights.items():
                _refused(path, save, _without(weights, name), name, family, found, "missing")
                wrong = weights | {name: torch.ones(*tensor.shape, 2)}
                _refused(path, save, wrong, name, family, found, "misshapen")
            extra = f"{part}.of_no_model"
            _refused(path, save, weights | {extra: torch.ones(2)}, extra, family, found, "too many")


CHECKS: tuple[Check, ...] = (
    tangent_is_finite_differences,
    adjoint_identity_holds,
    tiles_change_nothing,
    state_is_of_fixed_size_and_left_alone,
    output_is_in_its_form,
    files_are_checked,
)
"""Of one family each; in the order in which ``check_family`` makes them."""


class _Weighted:
    """The objective <w, y>."""

    def __init__(self, w: Tensor) -> None:
        self._w = w

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        return self._w[start : start + len(codes)]


def _base_ids(family: Family[Any], config: Any) -> BaseIds | None:
    rows = family.tokens(config)
    return None if rows is None else BaseIds(0, 1, 2, 3, 4 if rows > 4 else None)


def _tensors(
    family: Family[Any], tensors: Mapping[str, Tensor] | None, sizes: Mapping[str, int | float | bool]
) -> dict[str, Tensor]:
    if tensors is not None:
        return dict(tensors)
    generator = torch.Generator().manual_seed(0)
    shapes = family.shapes(family.config(**sizes))
    return {
        name: _SCALE * torch.randn(shape, dtype=torch.float64, generator=generator) for name, shape in shapes.items()
    }


def _model(
    family: Family[Any],
    tensors: Mapping[str, Tensor] | None,
    sizes: Mapping[str, int | float | bool],
    output: Any,
) -> StreamingModel:
    config = family.config(**sizes)
    model = family.empty_model(config, _base_ids(family, config), output)
    assert isinstance(model, StreamingModel), "the checks are for models that stream"
    weights = {name: tensor.double() for name, tensor in _tensors(family, tensors, sizes).items()}
    model.load_state_dict(weights, strict=True, assign=True)
    for name, buffer in model.named_buffers():
        assert not buffer.is_meta, f"buffer {name} is in no file, so it has no values: save it, or make it in forward"
    assert model.output == output, f"asked for {output}, the model says that it returns {model.output}"
    return model.eval().requires_grad_(False)


def _codes(length: int) -> BaseCodes:
    return np.random.default_rng(length).integers(0, 4, length, dtype=np.uint8)


def _sequences(model: StreamingModel) -> Iterator[tuple[str, BaseCodes]]:
    for length in LENGTHS:
        yield f"{length} bases", _codes(length)
    if model.reads_n:
        codes = _codes(LENGTHS[-1])
        codes[[0, 1, 17]] = N_CODE
        codes[4:15] = N_CODE
        yield f"{len(codes)} bases with runs of N", codes


def _directions(x: Tensor) -> Tensor:
    return RandomNormal(_DIRECTIONS, 0, "check").tangents(0, x)


def _weights(y: Tensor) -> Tensor:
    return torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(1))


def _tangent(model: StreamingModel, codes: BaseCodes, tile: int) -> tuple[Tensor, Tensor]:
    direction = RandomNormal(_DIRECTIONS, 0, "check")
    tiles = list(tangent_sweep(model, codes, direction, end=len(codes), tile=tile))
    return torch.cat([each.y for each in tiles]), torch.cat([each.y_dot for each in tiles], dim=1)


def _adjoint(model: StreamingModel, codes: BaseCodes, w: Tensor, tile: int) -> Tensor:
    tiles = list(adjoint_sweep(model, codes, _Weighted(w), end=len(codes), tile=tile))
    return torch.cat([each.x_bar for each in reversed(tiles)])


def _difference(model: StreamingModel, x: Tensor, v: Tensor) -> Tensor:
    """Richardson's extrapolation of two central differences."""

    def output(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model.forward(x, model.initial_state(x[: model.lookahead]))[0]

    wide, narrow = ((output(x + h * v) - output(x - h * v)) / (2 * h) for h in (_STEP, _STEP / 2))
    return (4 * narrow - wide) / 3


def _close(a: Tensor, b: Tensor, threshold: float, what: str) -> None:
    gap, size = (a - b).norm().item(), b.norm().item()
    assert gap <= threshold * size or gap == 0, f"{what} are apart by {gap / size if size else gap:.1e}"


def _shapes(state: State) -> list[tuple[int, ...]]:
    return [tuple(part.shape) for part in leaves(state)]


def _without(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {other: tensor for other, tensor in weights.items() if other != name}


def _read(path: Path, family: object, found: Family[Any]) -> Any:
    return read_checkpoint(path, "A=0,C=1,G=2,T=3" if found.vocabulary else None, family)


def _refused(
    path: Path, save: Any, weights: dict[str, Tensor], name: str, family: object, found: Family[Any], what: str
) -> None:
    save(weights, path)
    try:
        _read(path, family, found)
    except CheckpointError as error:
        said = str(error)
    else:
        raise AssertionError(f"{name} is {what}, and the file was read all the same")
    assert name in said, f"{name} is {what}, and the error does not name it: {said}"

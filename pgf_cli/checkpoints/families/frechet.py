"""The paper's operator: the state dicts of its published code, recognised by their keys.

A bare state dict has no settings: every one of them is read off the tensors. Source: the parameters that arXiv
2512.23068 and its published code give the operator.
"""

from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.alphabets import one_hot_alphabet
from pgf_cli.checkpoints.errors import MissingTensorError, TensorError
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import Axis, extents
from pgf_cli.core.models import FrechetConfig, FrechetModel

BASES = 4

EMBEDDING = "embed.weight"
_ESTIMATOR = "init_estimator.weight"
_AXES = {"d_model": Axis("D", 1, 0), "d_state": Axis("A_log", 1, 0), "window": Axis(_ESTIMATOR, 2, 1)}
_SIGNATURE = {"A_log", "redshift_scale", _ESTIMATOR}
_BIASES = ("dt_proj.bias", "B_proj.bias", "C_proj.bias")


def _sizes(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """Read every setting off the tensors.

    Raises:
        TensorError: the sizes cannot be told, or the operator has no way to read a base.
    """
    found = extents(tensors, _AXES, where)
    d_model, columns = found["d_model"], found["window"]
    window, rest = divmod(columns, d_model)
    if rest or not window:
        raise TensorError(
            f"{where}: tensor {_ESTIMATOR} has {columns} columns, expected a multiple of the {d_model} channels of D; "
            "the checkpoint is of another family or damaged."
        )
    if EMBEDDING not in tensors and d_model != BASES:
        raise MissingTensorError(
            EMBEDDING,
            where,
            f"an operator of {d_model} channels reads a base through it, ({BASES}, {d_model}): "
            "save it in the same dictionary",
        )
    return {
        **found,
        "window": window,
        "embedded": EMBEDDING in tensors,
        "projection_bias": any(name in tensors for name in _BIASES),
    }


def _recognises(source: Source) -> bool:
    """Whether a file holds the operator's tensors by name.

    Two of its telling names are enough: where the third is missing, an error shall name it.
    """
    return source.settings is None and len(_SIGNATURE & source.tensors.keys()) >= 2


def _read(source: Source, option: str | None) -> Reading:
    tensors, where, _ = source.weights
    letters = one_hot_alphabet(option, source.path)
    return Reading(FrechetConfig(**_sizes(tensors, where)), tensors, letters)  # type: ignore[arg-type]


FRECHET = Family(
    name="frechet",
    config=FrechetConfig,
    make=lambda config, _ids, _output: FrechetModel(config),
    sizes=_sizes,
    axes=_AXES,
    layouts=(
        Layout(
            name="the paper's state dict",
            supports="the paper's operator",
            recognises=_recognises,
            read=_read,
            signs=("A_log", "redshift_scale", _ESTIMATOR),
        ),
    ),
)

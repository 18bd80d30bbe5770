"""Orthrus, a causal Mamba over mature RNA: a linear map of one-hot tracks, LayerNorms, no head.

Folders with ``model_type`` "orthrus", and the tensors alone in a Lightning ``.ckpt``, a ``.pt`` or a ``.safetensors``.
The published models read four tracks (A, C, G, T) or six: the last two, the first base of each codon and the splice
sites, are not in a FASTA, so they are read as 0, which the checkpoint's note says. N is the zero vector, as in
training.

Source: the model's definition in the Orthrus repository (``orthrus/mamba.py``, ``orthrus/model.py``) and the published
config.json (model_type, n_tracks, ssm_model_dim, ssm_n_layers).
"""

from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.alphabets import one_hot_alphabet
from pgf_cli.checkpoints.errors import TensorError, UnsupportedArchitectureError
from pgf_cli.checkpoints.families.mamba_sizes import AXES, EMBEDDING, INPUT_BIAS, sizes_as
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import SizeInSettings, check_sizes
from pgf_cli.core.models import MambaConfig

BASES = 4

_PREFIX = "model."
"""Before the model's tensors, where the heads of its training lie beside it."""
_SIGNATURE = {INPUT_BIAS, "norm_f.bias", "layers.0.norm.bias"}
_TWO_DIRECTIONS = ".mamba_rev."
_NORM_EPS = 1e-5
"""A constant of the program; neither settings nor tensors have it."""
_STATED = {"d_model": "ssm_model_dim", "n_layer": "ssm_n_layers", "vocab_size": "n_tracks"}
_EXTRA_TRACKS = {6: "the tracks of codon starts (CDS) and splice sites are not in a FASTA and are read as 0"}


def recognises(source: Source) -> bool:
    """Whether a folder names this model, or a file holds its tensors by name.

    Two of its telling names are enough: where the third is missing, an error shall name it.
    """
    if source.settings is not None:
        return source.settings.values.get("model_type") == "orthrus"
    names = _inside(source.tensors)
    return len(_SIGNATURE & names.keys()) >= 2 and any(".mixer." in name for name in names)


def read(source: Source, option: str | None) -> Reading:
    """Read a source that was recognised.

    Raises:
        UnsupportedArchitectureError: the model reads in both directions.
        CheckpointError: a tensor is missing or cannot be, or settings and tensors disagree.
    """
    weights = source.weights
    tensors = _inside(weights.tensors)
    if found := next((name for name in tensors if _TWO_DIRECTIONS in name), None):
        raise UnsupportedArchitectureError(
            f"{weights.where}: {found} is of an Orthrus that reads in both directions; only the causal ones are read."
        )
    sizes = sizes_as(tensors, weights.where, one_hot=True)
    if source.settings is not None:
        check_sizes(sizes, AXES, _stated(source.settings), source.settings.where, weights.where)
    tracks = sizes["vocab_size"]
    if tracks < BASES:
        raise TensorError(
            f"{weights.where}: tensor {EMBEDDING} has {tracks} columns, expected {BASES} for A, C, G, T and "
            "one for each other track; the checkpoint is of another family or damaged."
        )
    config = MambaConfig(
        **sizes,
        norm_eps=_NORM_EPS,
        projection_bias=False,
        conv_bias=True,
        head=False,
        tied=False,
        layer_norm=True,
        one_hot=True,
    )
    others = {name: tensor for name, tensor in weights.tensors.items() if tensors.get(_short(name)) is not tensor}
    letters = one_hot_alphabet(option, source.path)
    return Reading(config, {**others, **tensors}, letters, frozenset(tensors), _note(tracks))


def _inside(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The model's tensors by its own names; without the prefix everywhere, or with it where other parts lie beside."""
    below = {_short(name): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
    return below or dict(tensors)


def _short(name: str) -> str:
    return name.removeprefix(_PREFIX)


def _stated(settings: Fields) -> list[SizeInSettings]:
    return [
        SizeInSettings(size, field, value)
        for size, field in _STATED.items()
        if (value := settings.whole(field)) is not None
    ]


def _note(tracks: int) -> str | None:
    if tracks == BASES:
        return None
    return _EXTRA_TRACKS.get(tracks, f"of the {tracks} tracks those after A, C, G and T are read as 0")


LAYOUT = Layout(
    name="Orthrus",
    supports="Orthrus",
    recognises=recognises,
    read=read,
)

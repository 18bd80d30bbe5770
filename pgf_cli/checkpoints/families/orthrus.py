"""Orthrus, a causal Mamba over mature RNA: a linear map of one-hot tracks, LayerNorms, no head.

Folders with ``model_type`` "orthrus", and the tensors alone in a Lightning ``.ckpt``, a ``.pt`` or a ``.safetensors``.
The published models read four tracks (A, C, G, T) or six: the last two, the first base of each codon and the splice
sites, are not in a FASTA, so they are read as 0, which the checkpoint's note says. N is the zero vector, as in
training.

Source: the model's definition in the Orthrus repository (``orthrus/mamba.py``, ``orthrus/model.py``) and the published
config.json (model_type, n_tracks, ssm_model_dim, ssm_n_layers).
"""

from pgf_cli.checkpoints.alphabets import one_hot_alphabet
from pgf_cli.checkpoints.errors import TensorError, UnsupportedArchitectureError
from pgf_cli.checkpoints.families.mamba_sizes import AXES, EMBEDDING, INPUT_BIAS, sizes_as
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import SizeInSettings, check_sizes
from pgf_cli.core.models import MambaConfig

BASES = 4

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
    names = source.tensors
    return len(_SIGNATURE & names.keys()) >= 2 and any(".mixer." in name for name in names)


def read(source: Source, option: str | None) -> Reading:
    """Read a source that was recognised.

    Raises:
        UnsupportedArchitectureError: the model reads in both directions.
        CheckpointError: a tensor is missing or cannot be, or settings and tensors disagree.
    """
    tensors, where, _ = source.weights
    if found := next((name for name in tensors if _TWO_DIRECTIONS in name), None):
        raise UnsupportedArchitectureError(
            f"{where}: {found} is of an Orthrus that reads in both directions; only the causal ones are read."
        )
    sizes = sizes_as(tensors, where, one_hot=True)
    if source.settings is not None:
        check_sizes(sizes, AXES, _stated(source.settings), source.settings.where, where)
    tracks = sizes["vocab_size"]
    if tracks < BASES:
        raise TensorError(
            f"{where}: tensor {EMBEDDING} has {tracks} columns, expected {BASES} for A, C, G, T and "
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
    return Reading(config, tensors, one_hot_alphabet(option, source.path), note=_note(tracks))


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
    supports="model_type orthrus",
    recognises=recognises,
    read=read,
    signs=("model_type", *sorted(_SIGNATURE)),
)

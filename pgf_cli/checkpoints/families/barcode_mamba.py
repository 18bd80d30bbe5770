"""BarcodeMamba over single bases, as Lightning saves it.

Every size is read off the tensors but two, which are taken as the repository has them: one group of B and C in the
mixers, and 1e-5 in the norms. Its k-mer models are refused. A model with a classifier for a head is read without it.

Source: names and shapes of tensors, token ids and the order of a block are those of the BarcodeMamba repository
(``utils/barcode_mamba.py``, ``utils/char_tokenizer.py``, ``train.py``, ``configs/config.yaml``), which were read; the
published weights were not.
"""

from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, known_alphabet
from pgf_cli.checkpoints.errors import AlphabetError, UnsupportedArchitectureError
from pgf_cli.checkpoints.families.mamba2_sizes import MAPS, SIZE_AXES, all_sizes
from pgf_cli.checkpoints.families.mamba_sizes import EMBEDDING
from pgf_cli.checkpoints.family import HEAD, Family
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import Axis, extent
from pgf_cli.core.models import BarcodeMambaConfig, BarcodeMambaLM, BaseIds

CHARACTER_IDS = BaseIds(3, 4, 5, 6, 7)
"""After [MASK], [SEP] and [UNK]."""
CHARACTER_ROWS = 8

_LAYER = "layers.0"
_SIZES = ("d_model", "n_layer", "heads", "head_dim", "d_conv", "vocab_size")
"""Those that a mixer shares with a Mamba-2's."""
_AXES = {
    **{size: axis for size, axis in SIZE_AXES.items() if size in _SIZES},
    "d_state": SIZE_AXES[MAPS],
    "d_mlp": Axis(f"{_LAYER}.mlp.fc1.weight", 2, 0),
}

_PREFIX = "backbone."
_NAMES = {"embeddings.word_embeddings.weight": EMBEDDING, "head.weight": HEAD}
_FINAL_NORM = "ln_f."
_SIGNATURE = {"embeddings.word_embeddings.weight", f"{_LAYER}.norm2.weight", f"{_LAYER}.mlp.fc1.weight", "ln_f.bias"}
_CLASSIFIER = "head.output_transform.weight"
_MAMBA1 = ".mixer.x_proj.weight"


def _sizes(tensors: Mapping[str, Tensor], where: object) -> dict[str, int]:
    """Read the sizes off the tensors, by the fields of ``BarcodeMambaConfig``.

    Raises:
        TensorError: one is missing, or they contradict each other.
    """
    mixer = all_sizes(tensors, where)
    # One group: the rows of B are the states.
    return {
        **{size: mixer[size] for size in _SIZES},
        "d_mlp": extent(tensors, _AXES["d_mlp"], where),
        "d_state": mixer[MAPS],
    }


def _recognises(source: Source) -> bool:
    """Whether a file holds blocks of two norms, a mixer and an MLP below ``backbone.``, as this program names them."""
    if source.settings is not None:
        return False
    names = {name.removeprefix(_PREFIX) for name in source.tensors if name.startswith(_PREFIX)}
    return len(_SIGNATURE & names) >= 3 and any(".mixer." in name for name in names)


def _read(source: Source, option: str | None) -> Reading:
    weights = source.weights
    if found := next((name for name in weights.tensors if name.endswith(_MAMBA1)), None):
        raise UnsupportedArchitectureError(
            f"{weights.where}: {found} is of a BarcodeMamba of Mamba1 layers (mamba_ver); "
            "only those of Mamba2 layers are read."
        )
    tensors = {_short(name): tensor for name, tensor in weights.tensors.items()}
    sizes = _sizes(tensors, weights.where)
    rows = sizes["vocab_size"]
    if rows != CHARACTER_ROWS and option is None:
        raise AlphabetError(
            f"{weights.where}: {EMBEDDING} has {rows} rows, but BarcodeMamba over single bases has {CHARACTER_ROWS}: "
            "it reads k-mers, and a value per base needs a token per base; give one of the 'char' models, or, if "
            f"single bases have tokens of their own, name them: {OPTION_EXAMPLE}."
        )
    classifier = tensors.get(_CLASSIFIER)
    config = BarcodeMambaConfig(**sizes, norm_eps=1e-5, head=classifier is None)
    inside = frozenset(_short(name) for name in weights.tensors if name.startswith(_PREFIX))
    letters = known_alphabet(option, CHARACTER_IDS, rows, "BarcodeMamba's characters")
    note = None
    if classifier is not None:
        note = f"its head, a classifier ({_CLASSIFIER}), is not read: the output is that of the last norm"
    return Reading(config, tensors, letters, inside, note)


def _short(name: str) -> str:
    """What the model calls a tensor of the file."""
    short = name.removeprefix(_PREFIX)
    if short.startswith(_FINAL_NORM):
        return f"norm_f.{short.removeprefix(_FINAL_NORM)}"
    return _NAMES.get(short, short)


BARCODE_MAMBA = Family(
    name="barcodemamba",
    config=BarcodeMambaConfig,
    make=BarcodeMambaLM,
    sizes=_sizes,
    axes=_AXES,
    required=("d_model", "n_layer", "heads", "head_dim", "d_state", "d_conv", "d_mlp", "vocab_size"),
    vocabulary=lambda config: config.vocab_size,
    head=lambda config: "own" if config.head else "none",
    layouts=(
        Layout(
            name="BarcodeMamba",
            supports="BarcodeMamba over single bases",
            recognises=_recognises,
            read=_read,
            signs=tuple(sorted(_SIGNATURE)),
        ),
    ),
)

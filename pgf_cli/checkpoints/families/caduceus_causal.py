"""The causal Mamba baselines of the Caduceus repository: the tensors of mamba_ssm's MambaLMHeadModel in a file alone.

A Lightning checkpoint has no settings that can be read. The tokens are those of that repository's character tokenizer,
HyenaDNA's scheme: 12, padded to 16 rows; a model of another number of rows is not taken for one of these.

Source: ``configs/model/mamba.yaml`` and the tokenizer of the Caduceus repository; the model of state-spaces/mamba.
"""

from pgf_cli.checkpoints.alphabets import known_alphabet
from pgf_cli.checkpoints.bare import refuse_beside_settings
from pgf_cli.checkpoints.families.mamba_folder import repeats_embedding
from pgf_cli.checkpoints.families.mamba_sizes import EMBEDDING, sizes_as
from pgf_cli.checkpoints.family import HEAD
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.core.models import BaseIds, MambaConfig

HYENADNA_IDS = BaseIds(7, 8, 9, 10, 11)
ROWS = 16

_PREFIX = "backbone."
_MIXERS = (".mixer.x_proj.weight", ".mixer.dt_proj.weight")
_NORM_EPS = 1e-5
"""A constant of mamba_ssm; tensors do not have it."""


def recognises(source: Source) -> bool:
    """Whether a file holds a language model of Mamba1 layers over sixteen rows of tokens.

    Not where a config.json lies beside it: that folder says more than the file.
    """
    if source.settings is not None or (source.path.parent / "config.json").exists():
        return False
    rows = [source.tensors[name].shape[:1] for name in (_PREFIX + EMBEDDING, HEAD) if name in source.tensors]
    mixers = [name for name in source.tensors if name.startswith(f"{_PREFIX}layers.")]
    return (ROWS,) in rows and any(name.endswith(_MIXERS) for name in mixers)


def read(source: Source, option: str | None) -> Reading:
    """Read a file that was recognised.

    Raises:
        CheckpointError: config.json lies beside it, a tensor is missing, or its sizes cannot be told.
        UsageError: the option ``--alphabet`` cannot be used.
    """
    refuse_beside_settings(source)
    weights = source.weights
    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in weights.tensors.items()}
    sizes = sizes_as(tensors, weights.where, one_hot=False)
    tied = HEAD not in tensors or repeats_embedding(tensors)
    config = MambaConfig(
        **sizes,
        norm_eps=_NORM_EPS,
        projection_bias=False,
        conv_bias=True,
        head=True,
        tied=tied,
        layer_norm=False,
        one_hot=False,
    )
    if tied:
        tensors.pop(HEAD, None)
    inside = frozenset(name.removeprefix(_PREFIX) for name in weights.tensors if name.startswith(_PREFIX))
    letters = known_alphabet(option, HYENADNA_IDS, config.vocab_size, "HyenaDNA's token ids, by its 16 rows")
    note = f"norm_eps is taken to be {_NORM_EPS:g}, as mamba_ssm has it"
    return Reading(config, tensors, letters, inside, note)


LAYOUT = Layout(
    name="Caduceus's causal baseline",
    supports="Caduceus's causal baselines",
    recognises=recognises,
    read=read,
    signs=(EMBEDDING, HEAD, *_MIXERS),
)

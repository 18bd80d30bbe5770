"""A model family that the user wrote, installed and names: ``package.module:Class``, never anything of a checkpoint.

What is named is a ``Family``, a function that returns one, or a subclass of ``StreamingModel`` with a ``sizes``: for it
a family is made of what its ``__init__`` takes.
"""

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from torch import Tensor

from pgf_cli.checkpoints.diagnosis import line_of
from pgf_cli.checkpoints.errors import printable
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.sizes import Axis, extents
from pgf_cli.core.models.protocol import BaseIds, StreamingModel
from pgf_cli.errors import UsageError

FLAG = "--model-family"
_FORM = re.compile(r"(\w+(?:\.\w+)*):(\w+(?:\.\w+)*)")
_FIELDS = (int, float, bool)
_GIVEN = ("base_ids", "output")
"""Arguments of a model that are no sizes."""


class ModelFamilyError(UsageError):
    """What ``--model-family`` names is not there, or is no family."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


@dataclass(frozen=True)
class OwnFamily:
    """A family that the user named."""

    family: Family[Any] = field(repr=False)
    name: str
    """``package.module:Class``."""
    source: Path
    """The file that defines it."""
    sha256: str
    """Of that file; what it imports is not in it."""


def load_family(named: object, checkpoint: Path) -> OwnFamily:
    """Import the family that the user named; its module's code runs.

    Args:
        named: ``package.module:Class``, or in Python the object itself.
        checkpoint: nothing is imported from a checkpoint's folder.

    Raises:
        ModelFamilyError: there is no such module or name, importing it fails, or it is no family.
    """
    found = _imported(named, checkpoint) if isinstance(named, str) else named
    name = named if isinstance(named, str) else _name_of(named)
    family = _family(found, name)
    source = _source(found if isinstance(found, type) else family.make, named, found)
    try:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelFamilyError(
            f"{FLAG} {name}: its source {source} cannot be read; define it in a file of a package or a script."
        ) from error
    return OwnFamily(family, name, source, digest)


def family_of_model(model: type[StreamingModel]) -> Family[Any]:
    """Make a family of a model's class.

    Its ``__init__`` takes sizes and settings (int, float, bool, annotated) and, if it wants them, ``base_ids`` (then
    one of the sizes is ``vocab_size``) and ``output``. The class says in ``sizes`` which axis of which tensor decides
    which size, and in ``output`` or ``outputs`` what it returns, the default first.

    Raises:
        ModelFamilyError: the class does not say so.
    """
    where = f"{FLAG} {_name_of(model)}"
    axes = getattr(model, "sizes", None)
    if not isinstance(axes, Mapping) or not all(isinstance(axis, tuple) and len(axis) == 3 for axis in axes.values()):
        raise ModelFamilyError(
            f"{where} has no sizes; say which tensor decides which argument of __init__: "
            'sizes = {"d_model": Axis("embedding.weight", 2, 1)}, see docs/own-family.md.'
        )
    hints = get_type_hints(model.__init__)
    parameters = dict(list(inspect.signature(model.__init__).parameters.items())[1:])
    settings = {name: each for name, each in parameters.items() if name not in _GIVEN}
    if wrong := [name for name in settings if hints.get(name) not in _FIELDS]:
        raise ModelFamilyError(f"{where}: __init__ takes {wrong[0]}, which is not annotated as int, float or bool.")
    if lacking := [name for name in axes if name not in settings]:
        raise ModelFamilyError(f"{where}: sizes names {lacking[0]}, which __init__ does not take.")
    if "base_ids" in parameters and "vocab_size" not in settings:
        raise ModelFamilyError(f"{where}: __init__ takes base_ids and no vocab_size; a model of tokens has both.")
    config = make_dataclass(
        f"{model.__name__}Config",
        [
            (name, hints[name], field(default=MISSING if each.default is each.empty else each.default))
            for name, each in settings.items()
        ],
        frozen=True,
        kw_only=True,
    )

    def make(config: Any, base_ids: BaseIds, output: Any) -> StreamingModel:
        given = {name: value for name, value in (("base_ids", base_ids), ("output", output)) if name in parameters}
        return model(**vars(config), **given)

    named = {name: Axis(*axis) for name, axis in axes.items()}

    def sizes(tensors: Mapping[str, Tensor], where: object) -> Mapping[str, int | bool]:
        return extents(tensors, named, where)

    return Family(
        name=model.__name__.lower(),
        config=config,
        make=make,
        sizes=sizes,
        axes=named,
        vocabulary=(lambda config: int(config.vocab_size)) if "base_ids" in parameters else None,
        outputs=tuple(getattr(model, "outputs", (getattr(model, "output", "hidden"),))),
    )


def _imported(named: str, checkpoint: Path) -> object:
    match = _FORM.fullmatch(named)
    if match is None:
        raise ModelFamilyError(f"{FLAG} {named[:80]!r} is not of the form package.module:Class.")
    module_name, path = match.groups()
    try:
        _refuse_checkpoint_s_own(module_name, named, checkpoint)
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ModelFamilyError(
                f"{FLAG} {named}: there is no module {error.name}; install its package, or put its folder into "
                "PYTHONPATH."
            ) from error
        raise _failed(named, module_name, error) from error
    except ModelFamilyError:
        raise
    # A user's module may raise whatever it likes.
    except Exception as error:
        raise _failed(named, module_name, error) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise ModelFamilyError(f"{FLAG} {named}: {module_name} has no {path}.")
        found = getattr(found, part)
    return found


def _failed(named: str, module: str, error: Exception) -> ModelFamilyError:
    return ModelFamilyError(
        f"{FLAG} {named}: importing {module} failed with {type(error).__name__}: {line_of(error)}; mend it first (-v "
        "shows where)."
    )


def _refuse_checkpoint_s_own(module: str, named: str, checkpoint: Path) -> None:
    """See before anything runs that a module does not lie beside the weights, whoever put it there."""
    first = module.partition(".")[0]
    if first in sys.modules:
        return
    spec = importlib.util.find_spec(first)
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    folder = (checkpoint if checkpoint.is_dir() else checkpoint.parent).resolve()
    if checkpoint.is_dir() and any(place and folder in Path(place).resolve().parents for place in places):
        raise ModelFamilyError(
            f"{FLAG} {named}: {first} lies in the checkpoint's folder {checkpoint}, and code of a checkpoint is never "
            "run; install it elsewhere if you trust it."
        )


def _family(found: object, name: str) -> Family[Any]:
    if isinstance(found, Family):
        return found
    if isinstance(found, type) and issubclass(found, StreamingModel):
        return family_of_model(found)
    if inspect.isfunction(found):
        try:
            made = found()
        # A user's function may raise whatever it likes.
        except Exception as error:
            raise ModelFamilyError(
                f"{FLAG} {name}: calling it failed with {type(error).__name__}: {line_of(error)}."
            ) from error
        if isinstance(made, Family):
            return made
    raise ModelFamilyError(
        f"{FLAG} {name} is a {type(found).__name__}, not a model family: name a subclass of StreamingModel, a Family, "
        "or a function that returns one."
    )


def _source(made: object, named: object, found: object) -> Path:
    """The file that defines what was named: that of its module, or of the class or function."""
    if isinstance(named, str) and (file := getattr(sys.modules[named.partition(":")[0]], "__file__", None)):
        return Path(file)
    for each in (found, made):
        try:
            return Path(inspect.getfile(each))  # type: ignore[arg-type]
        except TypeError:
            continue
    return Path("<unknown>")


def _name_of(named: object) -> str:
    kind = named if isinstance(named, type) or inspect.isfunction(named) else type(named)
    return f"{kind.__module__}:{kind.__qualname__}"

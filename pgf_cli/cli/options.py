"""From the options' definitions to a command: its signature, its values, and where each value came from.

Command line beats environment, environment beats ``--config``, and that beats defaults. Values reach a command as text
or, from TOML, with a type; the definition makes the same of both, and says the same where it cannot.
"""

import functools
import inspect
import os
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pgf_cli.cli.exits import VERBOSE
from pgf_cli.errors import UsageError
from pgf_cli.options import Definition, Option, definition_of, definitions_of, nearest, read_toml
from pgf_cli.settings import INPUT, OUTPUT, RunSettings, SettingsError

CONFIG = "pgf_cli.config"
SOURCES = "pgf_cli.sources"
"""Keys of a context's ``meta``: the values of --config, and where values came from, both by the options' names."""
DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """What commands are asked beyond the settings of a run."""

    config: Annotated[
        Path | None,
        Option(
            panel=INPUT,
            metavar="TOML",
            help="Option values by long name, such as hit-distance = 100; command line and environment beat it.",
        ),
    ] = None
    dry_run: Annotated[
        bool, Option(panel=OUTPUT, help="Check everything that a run would, say what it would do, and stop.")
    ] = False
    as_json: Annotated[
        bool, Option(flag="--json", panel=OUTPUT, help="Print JSON on stdout, not a report; of `run` the manifest.")
    ] = False
    quiet: Annotated[
        bool, Option(short="-q", panel=OUTPUT, help="No progress on stderr; `run` prints no report either.")
    ] = False
    verbose: Annotated[bool, Option(short="-v", panel=OUTPUT, help="Show the traceback of an error.")] = False


SHARED: Mapping[str, Definition] = {**definitions_of(RunSettings), **definitions_of(CommandOptions)}
"""Options that mean the same in every command that has them; these alone environment and ``--config`` can set."""


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function whose parameters are options. A parameter is one of

    * a dataclass: an option for each of its fields; the function gets the dataclass;
    * one with an ``Option`` in its annotation: an option of this command, for its command line alone;
    * one with a name in ``SHARED``: that option, with its default;
    * typer's context.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    wholes = {name: each.annotation for name, each in parameters.items() if is_dataclass(each.annotation)}
    grouped = RunSettings in wholes.values()
    complete: dict[str, inspect.Parameter] = {}
    for name, parameter in parameters.items():
        if parameter.annotation is typer.Context:
            complete[name] = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        for each in _definitions(name, parameter):
            complete[each.name] = _parameter(each, each.option.panel if grouped else "")

    @functools.wraps(command)
    def completed(**values: Any) -> None:
        arguments = {name: _made(kind, values) for name, kind in wholes.items()}
        command(**{name: values[name] for name in parameters if name not in wholes}, **arguments)

    # Typer reads both.
    completed.__signature__ = inspect.Signature(list(complete.values()))  # type: ignore[attr-defined]
    completed.__annotations__ = {name: each.annotation for name, each in complete.items()}
    return completed


def _definitions(name: str, parameter: inspect.Parameter) -> Iterator[Definition]:
    kind = parameter.annotation
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            yield _one_definition(field.name, hints[field.name], field.default)
    else:
        default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
        yield _one_definition(name, kind, default)


def _one_definition(name: str, annotation: Any, default: Any) -> Definition:
    if typing.get_origin(annotation) is not Annotated:
        return SHARED[name]
    definition = definition_of(name, annotation, default)
    return definition if definition != SHARED.get(name) else SHARED[name]


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    """Return a dataclass of a command's values; what contradicts each other is said of flags."""
    try:
        return kind(**{field.name: values[field.name] for field in fields(kind)})
    except SettingsError as error:
        raise UsageError(error.in_flags) from None


def setting_sources(ctx: typer.Context) -> dict[str, str]:
    """Return where each option's value came from, by the option's name."""
    return dict(ctx.meta.get(SOURCES, {}))


def _parameter(definition: Definition, panel: str) -> inspect.Parameter:
    """Return an option as typer takes it: text, or a flag; the definition reads it."""
    option = definition.option
    callback = _callback(definition)
    info: Any
    annotation: Any
    default: Any
    if option.positional:
        info = typer.Argument(
            help=definition.help, metavar=definition.name.upper(), show_default=False, callback=callback
        )
        annotation = Annotated[str if definition.required else str | None, info]
        default = inspect.Parameter.empty if definition.required else None
    else:
        info = typer.Option(
            *filter(None, (option.short, definition.flag)),
            help=definition.help,
            metavar=option.metavar,
            show_default=False,
            rich_help_panel=panel or None,
            is_eager=definition.name in ("config", "verbose"),
            callback=callback,
        )
        # Never required in typer's eyes: the environment or TOML may have it. An empty list stays one, where None is.
        kind: Any = bool if definition.kind is bool else list[str] if definition.many else str | None
        annotation = Annotated[kind, info]
        default = False if definition.kind is bool else [] if definition.many else None
    return inspect.Parameter(definition.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _callback(definition: Definition) -> Callable[[typer.Context, Any], Any]:
    def value_of(ctx: typer.Context, given: Any) -> Any:
        if ctx.resilient_parsing:
            return given
        value, source = _value(definition, ctx, given)
        ctx.meta.setdefault(SOURCES, {})[definition.name] = source
        if definition is SHARED["verbose"]:
            ctx.meta[VERBOSE] = value
        if definition is SHARED["config"] and value is not None:
            ctx.meta[CONFIG] = load_config(value)
        return value

    return value_of


def _value(definition: Definition, ctx: typer.Context, given: Any) -> tuple[Any, str]:
    """Return an option's value, and where it came from."""
    source = ctx.get_parameter_source(definition.name)
    if source is not None and source.name == "COMMANDLINE":
        if definition.kind is bool:
            return given is not definition.switches_off, "command line"
        where = definition.name.upper() if definition.option.positional else definition.flag
        return _parsed(definition, given, where), "command line"
    elsewhere = in_files_and_environment(definition)
    text = os.environ.get(definition.variable, "") if elsewhere else ""
    if text:
        texts = text.split() if definition.many else text
        return _switched(definition, _parsed(definition, texts, definition.variable)), "environment"
    values = ctx.meta.get(CONFIG, {})
    if elsewhere and definition.name in values:
        return values[definition.name], "configuration file"
    if definition.required:
        also = f", or set {definition.variable} in the environment" if elsewhere else ""
        raise UsageError(f"{definition.flag} is missing; give it{also}")
    return definition.default, DEFAULT


def in_files_and_environment(definition: Definition) -> bool:
    """Whether an option can be set elsewhere than on the command line."""
    shared = SHARED.get(definition.name) is definition
    return shared and not definition.option.positional and definition.name != "config"


def _parsed(definition: Definition, text: Any, where: str) -> Any:
    return definition.parse_many(text, where) if definition.many else definition.parse(text, where)


def _switched(definition: Definition, value: Any) -> Any:
    """Return the field's value for that of its flag, as environment and TOML have it."""
    return not value if definition.switches_off else value


def load_config(path: Path) -> dict[str, Any]:
    """Read option values from a TOML file, whose keys are long names; return them by the options' names.

    Raises:
        UsageError: the file cannot be read, is not TOML, has a key that is no option, or a value that cannot be.
    """
    by_key = {each.key: each for each in SHARED.values() if in_files_and_environment(each)}
    values = {}
    for key, value in read_toml(path).items():
        if key not in by_key:
            near = nearest(key, by_key)
            hint = f"did you mean {near}?" if near else "keys are the long option names of `run`"
            raise UsageError(f"--config {path}: {key[:60]!r} is no option; {hint}")
        definition = by_key[key]
        values[definition.name] = _switched(definition, definition.check(value, f"--config {path}: {key}"))
    return values

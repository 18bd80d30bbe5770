"""From the options' definitions to a command: its signature, its values, and where each value came from.

Command line beats environment, environment beats ``--config``, and that beats defaults. Values reach a command as text
or, from TOML, with a type; the definition makes the same of both, and says the same where it cannot.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_origin

import typer

from pgf_cli.cli.exits import VERBOSE
from pgf_cli.errors import UsageError
from pgf_cli.options import Definition, Option, definitions_of, nearest, read_toml
from pgf_cli.settings import INPUT, OUTPUT, RunSettings, SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

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
    dry_run: Annotated[bool, Option(panel=OUTPUT, help="Check everything, say what would be done, and stop.")] = False
    as_json: Annotated[
        bool, Option(flag="--json", panel=OUTPUT, help="Print JSON on stdout, not a report; of `run` the manifest.")
    ] = False
    quiet: Annotated[
        bool, Option(short="-q", panel=OUTPUT, help="No progress on stderr; `run` prints no report either.")
    ] = False
    verbose: Annotated[bool, Option(short="-v", panel=OUTPUT, help="Show the traceback of an error.")] = False


DEFINITIONS: Mapping[str, Definition] = {**definitions_of(RunSettings), **definitions_of(CommandOptions)}


def with_options(command: Command) -> Command:
    """Complete a command's signature from the definitions.

    A parameter that has an option's name and nothing of typer's in its annotation becomes that option, with its
    default; ``**anything`` becomes all options that the command does not name, under their headings.
    """
    signature = inspect.signature(command, eval_str=True)
    complete: dict[str, inspect.Parameter] = {}
    everything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.parameters.values())
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            missing = [each for each in DEFINITIONS.values() if each.name not in complete]
            complete |= {each.name: _parameter(each, each.option.panel) for each in missing}
        elif name in DEFINITIONS and get_origin(parameter.annotation) is not Annotated:
            definition = DEFINITIONS[name]
            complete[name] = _parameter(definition, definition.option.panel if everything else "")
        else:
            complete[name] = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    command.__signature__ = signature.replace(parameters=list(complete.values()))  # type: ignore[attr-defined]
    return command


def run_settings(values: Mapping[str, Any]) -> RunSettings:
    """Return the settings of a run from a command's values; what contradicts each other is said of flags.

    Raises:
        UsageError: two options contradict each other.
    """
    try:
        return RunSettings(**{name: values[name] for name in definitions_of(RunSettings)})
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
        metavar = definition.name.upper()
        info = typer.Argument(help=definition.help, metavar=metavar, show_default=False, callback=callback)
        annotation, default = Annotated[str, info], inspect.Parameter.empty
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
        if definition.name == "verbose":
            ctx.meta[VERBOSE] = value
        if definition.name == "config" and value is not None:
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
    text = os.environ.get(definition.variable, "") if in_files_and_environment(definition) else ""
    if text:
        texts = text.split() if definition.many else text
        return _switched(definition, _parsed(definition, texts, definition.variable)), "environment"
    values = ctx.meta.get(CONFIG, {})
    if definition.name in values:
        return values[definition.name], "configuration file"
    if definition.required:
        raise UsageError(f"{definition.flag} is missing; give it, or set {definition.variable} in the environment")
    return definition.default, DEFAULT


def in_files_and_environment(definition: Definition) -> bool:
    """Whether an option can be set elsewhere than on the command line."""
    return not definition.option.positional and definition.name != "config"


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
    by_key = {each.key: each for each in DEFINITIONS.values() if in_files_and_environment(each)}
    values = {}
    for key, value in read_toml(path).items():
        if key not in by_key:
            near = nearest(key, by_key)
            hint = f"did you mean {near}?" if near else "keys are the long option names of `run`"
            raise UsageError(f"--config {path}: {key[:60]!r} is no option; {hint}")
        definition = by_key[key]
        values[definition.name] = _switched(definition, definition.check(value, f"--config {path}: {key}"))
    return values

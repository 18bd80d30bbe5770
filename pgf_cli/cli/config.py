"""``--config TOML``: option values from a file, below the command line and the environment, above the defaults."""

import difflib
import tomllib
from pathlib import Path

import typer

from pgf_cli.errors import UsageError

SOURCES = {
    "COMMANDLINE": "command line",
    "ENVIRONMENT": "environment",
    "DEFAULT_MAP": "configuration file",
    "DEFAULT": "default",
}


def load_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Read option values from a TOML file; its keys are the long names of the command's options.

    Raises:
        UsageError: the file cannot be read, is not TOML, or has a key that is no option.
    """
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read --config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} is not TOML: {error}") from error
    names = {
        option.lstrip("-"): parameter.name
        for parameter in ctx.command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    for key in values:
        if key not in names or key == "config":
            near = difflib.get_close_matches(key, names, n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else "; keys are the long option names of `run`"
            raise UsageError(f"--config {path}: {key!r} is no option{hint}")
    ctx.default_map = {**(ctx.default_map or {}), **{str(names[key]): value for key, value in values.items()}}
    return path


def setting_sources(ctx: typer.Context) -> dict[str, str]:
    """Return where each parameter's value came from, by the parameter's name."""
    sources = {}
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(str(parameter.name))
        if source is not None:
            sources[str(parameter.name)] = SOURCES[source.name]
    return sources

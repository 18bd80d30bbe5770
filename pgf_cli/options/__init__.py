"""What an option is, said once: command line, environment, TOML, manifest, Python and docs read it from there."""

from pgf_cli.options.arguments import in_arguments
from pgf_cli.options.definition import Definition, Option, definition_of, definitions_of
from pgf_cli.options.toml import nearest, read_toml

__all__ = ["Option", "Definition", "definition_of", "definitions_of", "in_arguments", "read_toml", "nearest"]

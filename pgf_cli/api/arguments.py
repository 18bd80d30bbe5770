"""Errors of the library, told in terms of a caller's arguments."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgf_cli.errors import PgfError
from pgf_cli.settings import in_arguments


@contextmanager
def speaking_of_arguments() -> Iterator[None]:
    """Rewrite the flags in the message of a PgfError that leaves the block as arguments."""
    try:
        yield
    except PgfError as error:
        error.args = (in_arguments(str(error)), *error.args[1:])
        raise

"""Errors of the library, told in terms of a caller's arguments."""

from collections.abc import Iterator
from contextlib import contextmanager

from pgf_cli.errors import PgfError
from pgf_cli.interrupts import Interrupted
from pgf_cli.settings import in_arguments


@contextmanager
def speaking_of_arguments() -> Iterator[None]:
    """Rewrite flags as arguments in the message and the advice of an error that leaves the block.

    The library's messages are written once, for the command line; every function that a caller in Python is to use
    does its work in this.
    """
    try:
        yield
    except (PgfError, Interrupted) as error:
        if isinstance(error, PgfError):
            error.args = (in_arguments(str(error)), *error.args[1:])
        if error.advice:
            error.advice = in_arguments(error.advice)
        raise

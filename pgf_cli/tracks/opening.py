"""Several files opened together, or none."""

from collections.abc import Callable, Iterable

from pgf_cli.tracks.tile import TrackWriter


def open_all(openers: Iterable[Callable[[], TrackWriter]]) -> list[TrackWriter]:
    """Call every opener and return the writers; where one fails, discard those before it."""
    writers: list[TrackWriter] = []
    try:
        for opener in openers:
            writers.append(opener())
    except BaseException:
        for writer in writers:
            writer.discard()
        raise
    return writers

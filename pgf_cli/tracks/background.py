"""Formatting and compression beside the sweep, in a thread of their own."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from pgf_cli.tracks.tile import ScoredTile, TrackWriter

WAITING_TILES = 4


class BackgroundWriter(TrackWriter):
    """Passes tiles on to writers in a second thread, one after another and in order.

    Polars and zlib compute without Python's lock, so the sweep goes on meanwhile. At most four tiles wait; a fifth
    makes the caller wait, so memory stays flat however slow the disk is. What a writer raises is raised here, by a
    later `write` or by `close`.

    Args:
        writers: used by nobody else from now on.
    """

    def __init__(self, writers: Sequence[TrackWriter]) -> None:
        self._writers = writers
        self._thread = ThreadPoolExecutor(1, "pgf-writer")
        self._waiting: deque[Future[None]] = deque()

    def write(self, tile: ScoredTile) -> None:
        """Add a tile; see TrackWriter."""
        while self._waiting and (len(self._waiting) == WAITING_TILES or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._pass_on, tile))

    def close(self) -> None:
        """Write what waits, then complete the files; see TrackWriter."""
        while self._waiting:
            self._waiting.popleft().result()
        self._thread.shutdown()
        for writer in self._writers:
            writer.close()

    def discard(self) -> None:
        """Drop what waits and let go of the files; a tile that is being written is waited for."""
        self._thread.shutdown(cancel_futures=True)
        for writer in self._writers:
            writer.discard()

    def warnings(self) -> list[str]:
        """What the writers say."""
        return [warning for writer in self._writers for warning in writer.warnings()]

    def _pass_on(self, tile: ScoredTile) -> None:
        for writer in self._writers:
            writer.write(tile)

"""A writer of one record's tiles."""

from pgf_cli.tracks.tile import ScoredTile, TrackWriter


class SingleContigWriter(TrackWriter):
    """Passes on the tiles of one record and drops the others.

    Args:
        contig: the record's name; None: every record.
        writer: used by nobody else from now on.
    """

    def __init__(self, contig: str | None, writer: TrackWriter) -> None:
        self._contig, self._writer = contig, writer

    def write(self, tile: ScoredTile) -> None:
        """Add a tile if it is of the record; see TrackWriter."""
        if self._contig in (None, tile.contig):
            self._writer.write(tile)

    def close(self) -> None:
        """Complete the file; see TrackWriter."""
        self._writer.close()

    def discard(self) -> None:
        """Let go of the file."""
        self._writer.discard()

    def warnings(self) -> list[str]:
        """What the writer says."""
        return self._writer.warnings()

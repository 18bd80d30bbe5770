"""What an output format is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pgf_cli.tracks.request import OutputRequest
from pgf_cli.tracks.tile import TrackWriter

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class OutputFormat(ABC):
    """A way of writing tracks: one file of this room, and one line of `registry.py`, which gives name and help.

    Attributes:
        name: as `--format` takes it.
        help: one line.
        needs_hypothetical: whether it wants the columns "hypothetical A" to "hypothetical T" among a tile's values.
    """

    name: str
    help: str
    needs_hypothetical: ClassVar[bool] = False

    @abstractmethod
    def check(self, request: OutputRequest) -> None:
        """See before computing whether the request can be written.

        Raises:
            PgfError: a library is missing, or records do not fit the format.
            UsageError: the options do not fit the format.
        """

    @abstractmethod
    def files(self, request: OutputRequest) -> dict[str, str]:
        """Return what follows the prefix in the name of every file, by a key that begins with the format's name."""

    def open_files(self, request: OutputRequest) -> int:
        """Return how many files its writers hold open at once."""
        return len(self.files(request))

    @abstractmethod
    def estimated_bytes(self, request: OutputRequest) -> int:
        """Return how many bytes all files take together, within about 20% where every base is scored."""

    @abstractmethod
    def open(self, request: OutputRequest, paths: Mapping[str, Path]) -> list[TrackWriter]:
        """Create the files and return their writers, which take the same tiles each.

        Args:
            request: checked.
            paths: where to write, by the keys of `files`; there may be others'.

        Raises:
            WriteError: a file cannot be created; none of them is left open.
        """

    def read(self, paths: Mapping[str, Path], track: str) -> "pd.DataFrame | None":
        """Return a track read back: chrom, start, end (0-based half-open), value; None where the format has none.

        Args:
            paths: the files of a finished run, by the keys of `files`.
            track: the track's name.
        """
        return None

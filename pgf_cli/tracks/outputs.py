"""The files of all formats of a run together."""

import os
import resource
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pgf_cli.errors import PgfError, UsageError
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.request import OutputRequest
from pgf_cli.tracks.tile import TrackWriter

# For what opens while a run goes on: the FASTA, parts, snapshots, the manifest, libraries' own files.
_OTHER_FILES = 32


class OpenFilesError(PgfError, OSError):
    """A run would hold more files open at once than the system lets it."""


def check_formats(formats: Sequence[OutputFormat], request: OutputRequest) -> None:
    """See before computing that the request can be written in every format, and all of it at once.

    Raises:
        UsageError: options do not fit a format, or tracks would share a file.
        OpenFilesError: more files would be open than the system lets a process have.
        PgfError: whatever else a format has against it.
    """
    for each in formats:
        each.check(request)
    output_files(formats, request)
    check_open_files(sum(each.open_files(request) for each in formats))


def output_files(formats: Iterable[OutputFormat], request: OutputRequest) -> dict[str, str]:
    """Return the files of all formats: key to what follows the prefix; see OutputFormat.files.

    Raises:
        UsageError: two tracks have one name, so that they would share a file.
    """
    seen: set[str] = set()
    for track in request.tracks:
        if track.name in seen:
            raise UsageError(
                f"two tracks would be called {track.name} and share a file: characters that file names cannot have "
                "become _ in them; leave one pulse out, or rename its record in the FASTA"
            )
        seen.add(track.name)
    files: dict[str, str] = {}
    for each in formats:
        files |= each.files(request)
    return files


def open_formats(
    formats: Iterable[OutputFormat], request: OutputRequest, paths: Mapping[str, Path]
) -> list[TrackWriter]:
    """Create the files of all formats and return their writers; where one cannot be created, none is left open.

    Raises:
        WriteError: a file cannot be created.
    """
    writers: list[TrackWriter] = []
    try:
        for each in formats:
            writers += each.open(request, paths)
    except BaseException:
        for writer in writers:
            writer.discard()
        raise
    return writers


def check_open_files(files: int) -> None:
    """See before computing that so many files can be open at once beside those that are; raise the soft limit to it.

    The soft limit is a default that the process may raise up to the hard one; it stays raised.

    Raises:
        OpenFilesError: the hard limit is too low.

    Source: getrlimit(2), RLIMIT_NOFILE.
    """
    needed = files + _open_now() + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    try:
        # macOS refuses what is beyond its own maximum although the hard limit says infinity.
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError):
        limit = soft if hard == resource.RLIM_INFINITY else hard
        raise OpenFilesError(
            f"this run holds {files:,} output files open, {needed:,} files in all, and the limit is {limit:,}: raise "
            "it (ulimit -n), give fewer pulses, or leave out a format"
        ) from None


def _open_now() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        if Path(folder).is_dir():
            return len(os.listdir(folder))  # noqa: PTH208  counted, not looked at
    return 0

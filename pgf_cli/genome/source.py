"""Whether a file can serve as a FASTA that is read by position: there, readable, and plain text or BGZF."""

import io
import os
import stat
from pathlib import Path

from pgf_cli.genome.errors import FastaAccessError, FastaError

_COMPRESSED_SUFFIXES = (".gz", ".bgz")
_FOREIGN_MAGIC = {b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}
_UTF_16_STARTS = (b"\xff\xfe", b"\xfe\xff", b">\x00", b"\x00>")


def open_fasta(path: Path) -> io.FileIO:
    """Open a FASTA for reading.

    Raises:
        FastaAccessError: the file is missing, a folder, a pipe, a device, a socket, or unreadable.
    """
    try:
        # What kind of file it is has to be asked first: to open a device may do something to it.
        _check_kind(path, os.stat(path).st_mode)  # noqa: PTH116
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FastaAccessError(f"{path} does not exist; check the path of the FASTA") from error
    except OSError as error:
        if isinstance(error, FastaAccessError):
            raise
        raise FastaAccessError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    except ValueError as error:
        raise FastaAccessError(f"{str(path)!r} is no path of a file ({error}); check the path of the FASTA") from error
    file = io.FileIO(descriptor)
    try:
        _check_kind(path, os.fstat(descriptor).st_mode)
    except FastaAccessError:
        file.close()
        raise
    return file


def is_bgzf(path: Path, file: io.FileIO) -> bool:
    """Say whether a FASTA is BGZF-compressed (True) or plain (False).

    Args:
        path: its name.
        file: the open file.

    Raises:
        FastaAccessError: it cannot be read.
        FastaError: it is empty, UTF-16, in a compression that cannot be read by position, or its name does not say what
            it is (samtools and others go by the name).

    Source: SAM specification 4.1: BGZF is gzip with an extra field (flag 4) that begins with "BC".
    """
    try:
        start = read_at(file, 0, 18)
    except OSError as error:
        raise FastaAccessError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    if not start:
        raise FastaError(f"{path} is empty; give a FASTA file with at least one record")
    named_compressed = path.suffix.lower() in _COMPRESSED_SUFFIXES
    if start.startswith(b"\x1f\x8b"):
        if len(start) < 14 or not start[3] & 4 or start[12:14] != b"BC":
            raise FastaError(
                f"{path} is compressed with plain gzip, which cannot be read by position; "
                "unpack it (gunzip) or compress it in blocks (gunzip, then bgzip)"
            )
        if not named_compressed:
            raise FastaError(f"{path} is bgzip-compressed but not named so; rename it to end in .gz")
        return True
    for magic, compression in _FOREIGN_MAGIC.items():
        if start.startswith(magic):
            raise FastaError(f"{path} is compressed with {compression}; unpack it, or compress it with bgzip")
    if start.startswith(_UTF_16_STARTS):
        raise FastaError(f"{path} is UTF-16 text; save it as plain text: iconv -f UTF-16 -t UTF-8")
    if named_compressed:
        raise FastaError(f"{path} is named as compressed but is not; rename it without {path.suffix}")
    return False


def read_at(file: io.FileIO, start: int, end: int) -> bytes:
    """Read bytes [start, end) of an open file; fewer where it ends.

    Raises:
        OSError: it cannot be read.
        ValueError: it is closed.
    """
    parts = []
    while start < end and (part := os.pread(file.fileno(), end - start, start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise FastaAccessError(f"{path} is a folder, not a FASTA file; name the file in it")
    if not stat.S_ISREG(mode):
        raise FastaAccessError(
            f"{path} is a pipe, device or socket and cannot be read by position; write it to a file first"
        )

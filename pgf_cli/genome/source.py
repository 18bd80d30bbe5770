"""Whether a file can serve as a FASTA that is read by position: there, readable, and plain text or BGZF."""

from pathlib import Path

from pgf_cli.genome.errors import FastaAccessError, FastaError

_COMPRESSED_SUFFIXES = (".gz", ".bgz")
_FOREIGN_MAGIC = {b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}


def is_bgzf(path: Path) -> bool:
    """Say whether a FASTA is BGZF-compressed (True) or plain (False).

    Raises:
        FastaAccessError: the file is missing, a folder, a pipe, or unreadable.
        FastaError: it is empty, in a compression that cannot be read by position, or its name does not say what it
            is (pyfaidx goes by the name).

    Source: SAM specification 4.1: BGZF is gzip with an extra field (flag 4) that begins with "BC".
    """
    start = _first_bytes(path)
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
    if named_compressed:
        raise FastaError(f"{path} is named as compressed but is not; rename it without {path.suffix}")
    return False


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise FastaAccessError(f"{path} is a folder, not a FASTA file; name the file in it")
    if path.exists() and not path.is_file():
        raise FastaAccessError(f"{path} is a pipe or device and cannot be read by position; write it to a file first")
    try:
        with path.open("rb") as file:
            start = file.read(18)
    except FileNotFoundError as error:
        raise FastaAccessError(f"{path} does not exist; check the path of the FASTA") from error
    except OSError as error:
        raise FastaAccessError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    if not start:
        raise FastaError(f"{path} is empty; give a FASTA file with at least one record")
    return start

"""`PREFIX.chrom.sizes`: what bedGraphToBigWig and bedtools want to know of a genome."""

from collections.abc import Iterable
from pathlib import Path

from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.names import shown


def write_chrom_sizes(path: Path, chrom_sizes: Iterable[tuple[str, int]]) -> None:
    """Write `name<TAB>length in bases` for every record, in the order given, no header.

    Raises:
        WriteError: the file cannot be written.
    """
    with translate_os_errors(path), path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{shown(name)}\t{length}\n" for name, length in chrom_sizes)

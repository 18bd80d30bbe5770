"""Hits on disk: BED for browsers, TSV with everything that is known of them."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pgf_cli.errors import PgfError
from pgf_cli.hits import Hit
from pgf_cli.tracks.tables import NOT_APPLICABLE, read_tsv, write_tsv
from pgf_cli.tracks.textfile import writing

COLUMNS = tuple(field.name for field in dataclasses.fields(Hit))


class HitsFileError(PgfError, ValueError):
    """A hits.tsv is missing or is not what `run` wrote."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"cannot read hits from {path}: {what}; run `pgf-sensitivity run` again with --force.")


def write_hits_bed(path: Path, hits: Iterable[Hit], contigs: Sequence[str]) -> None:
    """Write BED6: chrom, start, end (0-based half-open), name, score, strand.

    The score is the percentile times 10, rounded, 0 to 1000; the strand is `.`. Lines are sorted by the order of
    `contigs` (the FASTA's) and start. Source: UCSC Genome Browser, "BED format".

    Raises:
        WriteError: the file cannot be written.
    """
    order = {contig: place for place, contig in enumerate(contigs)}
    ranked = sorted(hits, key=lambda hit: (order[hit.chrom], hit.start))
    with writing(path), path.open("w", encoding="utf-8", newline="\n") as file:
        for hit in ranked:
            file.write(f"{hit.chrom}\t{hit.start}\t{hit.end}\t{hit.name}\t{round(10 * hit.percentile)}\t.\n")


def write_hits_tsv(path: Path, hits: Iterable[Hit]) -> None:
    """Write hits in the order given (by record, then rank), one column per field of Hit, NA where not applicable.

    Floats are the shortest decimals that read back exactly as float64; flags are joined by commas.

    Raises:
        WriteError: the file cannot be written.
    """
    rows = [[_cell(getattr(hit, column)) for column in COLUMNS] for hit in hits]
    write_tsv(path, pd.DataFrame(rows, columns=list(COLUMNS), dtype=object))


def read_hits_tsv(path: Path) -> list[Hit]:
    """Read back what `write_hits_tsv` wrote: equal hits in the same order.

    Raises:
        HitsFileError: the file is missing, has other columns, or a cell that cannot be read (the line is named).
    """
    try:
        table = read_tsv(path)
    except FileNotFoundError:
        raise HitsFileError(path, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise HitsFileError(path, "it is no table of hits") from error
    if tuple(table.columns) != COLUMNS:
        missing = [column for column in COLUMNS if column not in table.columns]
        raise HitsFileError(path, f"its header is not that of a hits.tsv (missing: {', '.join(missing) or 'none'})")
    # The header is line 1.
    return [_hit(path, line, row) for line, row in enumerate(table.to_dict("records"), start=2)]


def _cell(value: str | float | tuple[str, ...] | None) -> str | float | None:
    if isinstance(value, tuple):
        return ",".join(value) or None
    # A NumPy float32 would be printed in its own precision and read back as another float64.
    return float(value) if isinstance(value, float | np.floating) else value


def _hit(path: Path, line: int, row: Mapping[Any, Any]) -> Hit:
    fields: dict[str, Any] = {}
    for column, read in _READERS.items():
        cell = row[column]
        try:
            if not cell:
                raise ValueError("nothing stands there")
            fields[column] = read(cell)
        except ValueError as error:
            raise HitsFileError(path, f"line {line}, column {column}: {error}") from error
    return Hit(**fields)


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: None if cell == NOT_APPLICABLE else read(cell)


def _flags(cell: str) -> tuple[str, ...]:
    return () if cell == NOT_APPLICABLE else tuple(cell.split(","))


_READERS: dict[str, Callable[[str], Any]] = {
    "chrom": str,
    "start": int,
    "end": int,
    "name": str,
    "track": str,
    "value": float,
    "percentile": float,
    "robust_z": _optional(float),
    "fdr": _optional(float),
    "pulse": _optional(str),
    "lag": _optional(int),
    "half_life": _optional(int),
    "reach": _optional(int),
    "flags": _flags,
    "context": str,
}

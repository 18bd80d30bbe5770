"""The dialect of our tab-separated tables: a header, NA for what does not apply, nothing quoted."""

import csv
from pathlib import Path

import pandas as pd

from pgf_cli.tracks.textfile import writing

NOT_APPLICABLE = "NA"


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table of objects; None becomes NA, a float the shortest decimal that reads back exactly.

    Raises:
        WriteError: the file cannot be written.
    """
    text = table.to_csv(sep="\t", index=False, na_rep=NOT_APPLICABLE, quoting=csv.QUOTE_NONE, lineterminator="\n")
    with writing(path):
        path.write_text(text, encoding="utf-8", newline="\n")


def read_tsv(path: Path) -> pd.DataFrame:
    """Read a table as text: every cell a str, NA included; a cell that its line lacks is empty.

    Raises:
        OSError, UnicodeDecodeError, pandas.errors.ParserError, pandas.errors.EmptyDataError: as pandas does.
    """
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE, encoding="utf-8")

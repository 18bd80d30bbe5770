"""Tracks read back from their files, as data frames."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PLACE_COLUMNS = ["chrom", "start", "end", "value"]
"""What every track has, whatever its format: 0-based half-open places, and the value there."""


def read_rows(path: Path, separator: str, **options: Any) -> "pd.DataFrame":
    """Read a table of ours; numbers to the last bit, names as they stand.

    Args:
        path: the file, compressed or not.
        separator: between its columns.
        options: others of pandas.read_csv.
    """
    import pandas as pd  # noqa: PLC0415 - takes half a second that no run needs

    frame: pd.DataFrame = pd.read_csv(path, sep=separator, dtype={"chrom": str}, keep_default_na=False, **options)
    return frame

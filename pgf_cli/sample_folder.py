"""Where the sample data are."""

from pathlib import Path

import pgf_cli


def sample_data() -> Path:
    """Return the folder of the sample data: inside an installed package, or beside it in a checkout."""
    package = Path(pgf_cli.__file__).parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"

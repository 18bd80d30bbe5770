"""How many bases a tile has unless somebody says: as many as the processor's cache holds."""

from functools import cache
from pathlib import Path

from pgf_cli.core.models.protocol import SequenceModel

SMALLEST_TILE, LARGEST_TILE = 256, 2048
"""Below, calling the loops takes longer than running them; above, nothing was faster."""

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE_BYTES = 8 << 20
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@cache
def cache_bytes() -> int:
    """Return the size of the processor's last-level cache, or a usual one where the system does not say."""
    sizes = [_USUAL_CACHE_BYTES] if not _CACHES.is_dir() else []
    for path in _CACHES.glob("index*/size"):
        text = path.read_text().strip()
        sizes.append(int(text.rstrip("KMG")) * _UNITS.get(text[-1:], 1))
    return max(sizes, default=_USUAL_CACHE_BYTES)


def default_tile(model: SequenceModel, tangents: int) -> int:
    """Return the tile, a power of two, of which a model's widest activation fits in the cache twice: read, and written.

    Args:
        model: any model.
        tangents: swept beside the primal.
    """
    row_bytes = 2 * (1 + tangents) * model.width * model.dtype.itemsize
    fitting = max(1, cache_bytes() // row_bytes)
    return min(LARGEST_TILE, max(SMALLEST_TILE, 1 << (fitting.bit_length() - 1)))

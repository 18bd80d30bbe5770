"""Keeping freed memory for the next tile.

Every tile allocates and frees the same few megabytes. By default the C library gives such pieces back to the system and
asks for them again, and the system clears them page by page: as slow as computing with them. Every tile needs the same
sizes, so nothing grows by keeping them.
"""

import ctypes
import sys

# Of glibc's mallopt; the largest value that it takes for the second.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _LARGEST_MMAP_THRESHOLD = 1 << 30, 32 << 20


def keep_freed_memory() -> None:
    """Let this process keep what it frees for its next allocation, where the C library can be told so."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)

"""An array (regions, 4, length) as an .npz, written a block at a time."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pgf_cli.tracks.disk import translate_os_errors

COLUMNS = 4
"""A, C, G, T."""
BLOCK_VALUES = 1 << 20
AXES = b"arr_0: regions x A, C, G, T x positions"

ReadColumn = Callable[[int, int, int, int], NDArray[Any]]
"""read(region, column, start, end) -> (end - start,): one base's values along [start, end) of a region.

Regions, columns (A, C, G, T) and positions are counted from 0; positions from the region's own start.
"""


def write_npz(path: Path, regions: int, length: int, dtype: np.dtype[Any], read: ReadColumn) -> None:
    """Write an array (regions, 4, length), order A C G T, as ``arr_0`` of an .npz, holding one block at a time.

    Values are asked for in the file's order, so the memory needed does not grow with regions or length. Nothing is
    compressed: the file takes 4 x regions x length values, and its bytes depend on the values alone. The sequence goes
    the same way: a ``read`` that says where the base is the column's.

    Args:
        path: the file to create.
        regions: N.
        length: positions of every region, L.
        dtype: number format of the file; values are cast to it.
        read: gives the values.

    Raises:
        WriteError: the disk refuses; what ``read`` raises is passed on.

    Source: numpy.lib.format, version 1.0, in a zip as ``numpy.savez`` makes it; layout of tfmodisco-lite and finemo.
    """
    shape = (regions, COLUMNS, length)
    with _array_file(path, shape, dtype) as write:
        for region, column in np.ndindex(regions, COLUMNS):
            for start in range(0, length, BLOCK_VALUES):
                end = min(length, start + BLOCK_VALUES)
                values = np.asarray(read(region, column, start, end), dtype=dtype)
                # A read of another length would shift all that follows.
                write(values.reshape(end - start).tobytes())


@contextmanager
def _array_file(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Callable[[bytes], None]]:
    """Open ``arr_0`` of a new .npz; what is written with the function given are its values in C order."""
    with translate_os_errors(path):
        archive = zipfile.ZipFile(path, "w")
        archive.comment = AXES
        # ZipInfo's own time stamp is fixed: the same values give the same bytes.
        member = archive.open(zipfile.ZipInfo("arr_0.npy"), "w", force_zip64=True)

    def write(data: bytes) -> None:
        with translate_os_errors(path):
            member.write(data)

    try:
        with translate_os_errors(path):
            npy.write_array_header_1_0(
                member, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            )
        yield write
        with translate_os_errors(path):
            member.close()
            archive.close()
    except BaseException:
        with suppress(OSError):
            member.close()
        with suppress(OSError):
            archive.close()
        raise

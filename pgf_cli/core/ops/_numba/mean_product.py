"""The mean of a product over channels, for the compiled norms."""

from numba.extending import register_jitable

from pgf_cli.core.ops._numba.exponential import FASTMATH
from pgf_cli.core.ops._numba.local_arrays import local_array
from pgf_cli.core.ops._numba.scan_loops import BLOCK as LANES
from pgf_cli.core.ops._numba.scan_loops import block_sum

local_lanes = local_array(LANES)


@register_jitable(fastmath=FASTMATH - {"contract"}, error_model="numpy")
def mean_product(a, scale, b, lanes):
    """The mean of (scale a_i) b_i, over LANES partial sums that are folded in a fixed order.

    Scaled first, the products of large numbers stay finite.
    """
    lanes[:] = 0
    channels = a.shape[0]
    whole = channels // LANES * LANES
    for first in range(0, whole, LANES):
        for i in range(LANES):
            lanes[i] += (scale * a[first + i]) * b[first + i]
    for i in range(channels - whole):
        lanes[i] += (scale * a[whole + i]) * b[whole + i]
    return block_sum(lanes) / a.dtype.type(channels)

"""Both scans in Triton, parallel over chunks of time; imported only where tensors are on a CUDA device.

A chunk of time is an affine map of the state before it. Three passes:

1. ``compose``: each chunk walks from a zero state; what comes out is its map's constant part. The linear part is
   exp(A sum(delta)), so of it only the sum of step sizes is kept, and of its tangent only that of their tangents.
2. ``carry``: one short walk over chunks gives the true state at the start of each.
3. ``walk``: each chunk walks again, from there, and writes outputs.

The adjoint does the same from the right, ``compose_back``, ``carry`` and ``walk_back``. Nothing divides, and every
step of either walk is h + ((a - 1) h + b), which keeps slow states in float32. Sums over channels go to a row for
each channel block and are added afterwards in a fixed order, so that results do not change from run to run.

A program is one warp that owns some channels, all their states and one chunk: states sit in registers, sums over
states need at most a few shuffles, nothing waits at a barrier.
"""

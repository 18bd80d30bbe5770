"""The spool gives back what was written, by track and position."""

import numpy as np
import pytest

from pgf_cli.tracks.spool import TrackSpool


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tracks_come_back_by_position_and_holes_are_zero(tmp_path, dtype):
    values = {name: np.random.default_rng(row).normal(size=50).astype(dtype) for row, name in enumerate("ab")}
    with TrackSpool(tmp_path, ["a", "b"], np.dtype(dtype), 1000, 1100) as spool:
        for start in (0, 7, 30):
            end = {0: 7, 7: 30, 30: 50}[start]
            spool.write(1000 + start, {name: row[start:end] for name, row in values.items()})
        for name, row in values.items():
            np.testing.assert_array_equal(spool.read(name, 1005, 1040), row[5:40])
            assert not spool.read(name, 1050, 1100).any()
        assert not list(tmp_path.iterdir())

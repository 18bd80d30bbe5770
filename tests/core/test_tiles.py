"""The default tile against the rule written out by hand."""

import pytest

from pgf_cli.core import tiles


@pytest.mark.parametrize(
    ("cache", "tangents", "expected"),
    # The toy's widest row is 44 numbers of 8 bytes; a power of two between 256 and 2,048, whatever the cache.
    [(1 << 30, 1, 2048), (1, 1, 256), (2 * 2 * 44 * 8 * 1000, 1, 512), (2 * 4 * 44 * 8 * 1024, 3, 1024)],
)
def test_twice_a_stack_of_the_widest_rows_fits_in_the_cache(toy_mamba, monkeypatch, cache, tangents, expected):
    monkeypatch.setattr(tiles, "cache_bytes", lambda: cache)
    assert tiles.default_tile(toy_mamba, tangents) == expected


def test_the_cache_of_this_machine_is_read_or_guessed():
    assert 1 << 16 <= tiles.cache_bytes() <= 1 << 33

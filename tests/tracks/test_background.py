"""A second thread changes nothing but who waits for whom."""

import threading

import numpy as np
import pytest

from pgf_cli.tracks.background import WAITING_TILES, BackgroundWriter
from pgf_cli.tracks.bedgraph import BedGraphWriter
from pgf_cli.tracks.csv_table import CsvWriter
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.tile import ScoredTile, finishing


def tiles(count):
    return [
        ScoredTile("chr1", at, np.zeros(1, dtype=np.uint8), {"response": np.ones(1, dtype=np.float32)})
        for at in range(count)
    ]


def write_all(writer, count):
    with finishing([writer]):
        for tile in tiles(count):
            writer.write(tile)


class Listener:
    """A writer that does as it is told for each tile, and remembers."""

    def __init__(self, do=lambda tile: None):
        self.do, self.starts, self.threads, self.ended = do, [], set(), []

    def write(self, tile):
        self.threads.add(threading.current_thread())
        self.do(tile)
        self.starts.append(tile.start)

    def close(self):
        self.ended.append("close")

    def discard(self):
        self.ended.append("discard")


def test_files_are_those_of_the_same_writers_without_a_thread(genome, tmp_path):
    def writers(folder):
        folder.mkdir()
        return [BedGraphWriter(folder / "ghost", "ghost"), CsvWriter(folder / "table", ["response", "ghost"])]

    for writer in writers(tmp_path / "direct"):
        genome.write(writer)
    genome.write(BackgroundWriter(writers(tmp_path / "background")))
    for name in ("ghost", "table"):
        assert (tmp_path / "background" / name).read_bytes() == (tmp_path / "direct" / name).read_bytes()


def test_every_tile_is_written_in_order_by_one_other_thread_before_the_files_are_closed():
    listener = Listener()
    write_all(BackgroundWriter([listener]), 100)
    assert listener.starts == list(range(100))
    assert listener.ended == ["close"]
    assert len(listener.threads) == 1
    assert not any(thread is threading.current_thread() or thread.is_alive() for thread in listener.threads)


def test_a_slow_writer_makes_the_sweep_wait_instead_of_filling_memory():
    sent, ahead, all_sent = [], [], threading.Event()

    def note(tile):
        # Time enough for a sender that nothing holds back to send all.
        all_sent.wait(0.2 if tile.start == 0 else 0)
        ahead.append(len(sent) - tile.start)

    writer = BackgroundWriter([Listener(note)])
    with finishing([writer]):
        for tile in tiles(50):
            sent.append(tile)
            writer.write(tile)
        all_sent.set()
    assert max(ahead) == WAITING_TILES + 1


def test_what_a_writer_raises_ends_the_run_though_it_came_while_another_tile_was_swept():
    def fail(tile):
        if tile.start == 2:
            raise WriteError("track", OSError(28, "No space left on device"))

    listener = Listener(fail)
    with pytest.raises(WriteError, match="cannot write track: No space left"):
        write_all(BackgroundWriter([listener]), 1000)
    assert listener.starts[:2] == [0, 1]
    assert len(listener.starts) < 100
    assert listener.ended == ["discard"]


def test_a_full_disk_found_at_the_very_end_is_one_line_naming_the_file(full_disk):
    writer = BackgroundWriter([BedGraphWriter(full_disk, "response")])
    with pytest.raises(WriteError, match=rf"cannot write {full_disk}: No space left") as caught:
        write_all(writer, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_of_the_sweep_drops_what_waits_and_lets_go_of_the_files(failure):
    begun, go = threading.Event(), threading.Event()

    def hold(tile):
        begun.set()
        go.wait(10)

    listener = Listener(hold)
    writer = BackgroundWriter([listener])

    def sweep():
        for tile in tiles(3):
            writer.write(tile)
        begun.wait(10)
        threading.Timer(0.1, go.set).start()
        raise failure

    with pytest.raises(failure), finishing([writer]):
        sweep()
    assert listener.starts == [0]
    assert listener.ended == ["discard"]
    assert not any(thread.is_alive() for thread in listener.threads)

"""Signals that ask a run to stop."""

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from crash_scenes import Scene
from left_behind import PARTS, check_one_line, check_unfinished
from stage import Stage

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)

MOST_SAVED = 5
"""Every scene that is asked saves more often than that."""


def ask_to_stop(
    stage: Stage, scenes: Sequence[Scene], chance: random.Random
) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield what is done and a function that does it: each signal once, at a random moment."""
    for number, each in enumerate(SIGNALS):
        scene = scenes[number % len(scenes)]
        yield f"{each.name}, {scene.name}", lambda scene=scene, each=each: _stopped(stage, scene, each, chance)  # type: ignore[misc]


def _stopped(stage: Stage, scene: Scene, number: signal.Signals, chance: random.Random) -> int:
    reference = stage.reference(scene)
    folder = stage.folder(reference.older_folder)
    run = stage.start(scene, folder)
    run.wait_for_writing()
    # A wait by the clock may be longer than the run.
    saved = chance.randrange(MOST_SAVED)
    while len(list((folder / PARTS).glob("*.state"))) < saved:
        time.sleep(0.001)
    run.kill(number)
    ended = run.wait()
    assert ended.status == 128 + number, f"ended with {ended.status}: {ended.stderr}"
    check_one_line(ended.stderr)
    assert f"interrupted by {number.name}" in ended.stderr, ended.stderr
    kept = (folder / PARTS).exists()
    assert kept == ("--resume" in ended.stderr), ended.stderr
    check_unfinished(folder, reference.wanted, reference.older)
    stage.resume(scene, folder)
    stage.clear(folder)
    return 1

"""Signals that ask a run to stop."""

import random
import signal
import time
from collections.abc import Sequence
from functools import partial

from crash_scenes import Scene
from left_behind import PARTS, check_one_line, check_unfinished
from stage import Stage, Steps

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)

MOST_SAVED = 5
"""Every scene that is asked saves more often than that."""


def ask_to_stop(stage: Stage, scenes: Sequence[Scene], chance: random.Random) -> Steps:
    """Stop a run by each signal, at a random moment, and let it go on."""
    for number, each in enumerate(SIGNALS):
        scene = scenes[number % len(scenes)]
        yield f"{each.name}, {scene.name}", partial(_stopped, stage, scene, each, chance)


def _stopped(stage: Stage, scene: Scene, number: signal.Signals, chance: random.Random) -> int:
    reference = stage.reference(scene)
    folder = stage.folder(reference.older_folder)
    run = stage.start(scene, folder)
    run.wait_for_writing()
    # A wait by the clock may be longer than the run.
    saved = chance.randrange(MOST_SAVED)
    while len(list((folder / PARTS).glob("*.state"))) < saved and not run.has_ended():
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

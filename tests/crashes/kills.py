"""SIGKILL at random moments: whatever is under way, ``--resume`` ends with the bytes of an uninterrupted run."""

import itertools
import random
import signal
import time
from collections.abc import Sequence
from functools import partial

from crash_scenes import Scene
from left_behind import check_unfinished
from stage import Stage, Steps

KILLED_AGAIN = 0.5
"""How often the run that goes on is killed, too."""


def kill_at_random(stage: Stage, scenes: Sequence[Scene], chance: random.Random) -> Steps:
    """Kill one run, at least once, and let it go on to its end."""
    for number in itertools.count():
        scene = scenes[number % len(scenes)]
        yield f"kill {scene.name}", partial(_killed_and_resumed, stage, scene, chance)


def _killed_and_resumed(stage: Stage, scene: Scene, chance: random.Random) -> int:
    reference = stage.reference(scene)
    folder = stage.folder(reference.older_folder)
    kills = 0
    while not kills or chance.random() < KILLED_AGAIN:
        run = stage.start(scene, folder, resume=kills > 0)
        run.wait_for_writing()
        time.sleep(chance.uniform(0.0, reference.seconds))
        run.kill()
        ended = run.wait()
        if ended.status != -signal.SIGKILL:
            # It was faster than expected.
            assert ended.status == 0, f"ended with {ended.status}: {ended.stderr}"
            break
        kills += 1
        check_unfinished(folder, reference.wanted, reference.older)
    stage.resume(scene, folder)
    stage.clear(folder)
    return kills

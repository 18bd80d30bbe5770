"""Death between any two calls that change names or sync: whatever it leaves, ``--resume`` ends with the same bytes."""

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from crash_scenes import Scene
from left_behind import PARTS, check_unfinished
from recorder import UNSYNCED_NAMES, WAYS, Recorder
from stage import Stage, Steps

JOURNAL = "journal.json"
SAVED = "*.state"


def die_at_moments(stage: Stage, scenes: Sequence[Scene], count: int | None, chance: random.Random) -> Steps:
    """Let a run go on from what one moment leaves of it.

    Args:
        stage: where.
        scenes: of each, one run is recorded.
        count: how many moments of each are tried, one half of them while files are put in place; None: all, each in
            all ways.
        chance: chooses.
    """
    for scene in scenes:
        reference = stage.reference(scene)
        folder = stage.folder(reference.older_folder)
        copies = folder.with_name(f"{folder.name}.moments")
        copies.mkdir()
        ended = stage.start(scene, folder, prepare=Recorder(folder, copies).install).wait()
        if ended.status != 0:
            raise RuntimeError(f"the run that is recorded ended with {ended.status}: {ended.stderr}")
        for left in _chosen(sorted(copies.iterdir()), count, chance):
            yield f"{left.name}, before {left.parent.name}, {scene.name}", partial(_resumed, stage, scene, left)
        stage.clear(copies)


def _chosen(moments: Sequence[Path], count: int | None, chance: random.Random) -> list[Path]:
    every = [moment / way for moment in moments for way in WAYS]
    if count is None:
        return every
    in_place = [left for left in every if (left.parent / WAYS[0] / PARTS / JOURNAL).exists()]
    others = [left for left in every if left not in in_place]
    return chance.sample(in_place, (count + 1) // 2) + chance.sample(others, count // 2)


def _resumed(stage: Stage, scene: Scene, left: Path) -> int:
    reference = stage.reference(scene)
    check_unfinished(left, reference.wanted, reference.older)
    _check_saved(left)
    stage.resume(scene, left)
    return 1


def _check_saved(left: Path) -> None:
    """See that what is saved is so also after a power cut: all but what was being saved at that moment."""
    saved, there = (
        {path.name for path in (left.parent / way / PARTS).glob(SAVED)} for way in (WAYS[0], UNSYNCED_NAMES)
    )
    # The folder of unfinished work is emptied when its files are in place.
    if not (left.parent / WAYS[0] / PARTS / JOURNAL).exists():
        assert len(saved - there) <= 1, f"a power cut takes {sorted(saved - there)}"

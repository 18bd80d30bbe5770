"""``python tests/crashes``: break runs off in every way there is and see that nothing is lost and nothing is wrong."""

import argparse
import math
import random
import sys
import tempfile
import time
from pathlib import Path

import forked_runs

forked_runs.one_thread_only()

from crash_scenes import MODEL, SCENES  # noqa: E402  libraries are imported behind the line above
from kills import kill_at_random  # noqa: E402
from moments import die_at_moments  # noqa: E402
from refusals import refuse_at_random  # noqa: E402
from stage import Stage, Steps  # noqa: E402
from stop_signals import ask_to_stop  # noqa: E402


def main() -> int:
    """Do what is asked; return 1 if anything went wrong."""
    asked = _arguments()
    forked_runs.warm_up(MODEL)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="crashes-") as root:
        stage = Stage(Path(root))
        scenes, begin = SCENES[: asked.scenes], random.Random
        if asked.kills:
            failed += _play("kills", kill_at_random(stage, scenes, begin(asked.seed)), asked.kills)
        if asked.disks:
            failed += _play("disks", refuse_at_random(stage, scenes, begin(asked.seed)), asked.disks)
        if asked.moments != 0:
            failed += _play("moments", die_at_moments(stage, scenes, asked.moments, begin(asked.seed)))
        if asked.signals:
            failed += _play("signals", ask_to_stop(stage, scenes, begin(asked.seed)))
    return int(failed > 0)


def _play(what: str, steps: Steps, wanted: float = math.inf) -> int:
    """Take steps until they have done what is wanted so often, or all; return how many went wrong."""
    done, failed, began = 0, 0, time.monotonic()
    for name, step in steps:
        try:
            done += step()
        except (AssertionError, TimeoutError) as error:
            done, failed = done + 1, failed + 1
            print(f"FAILED {name}: {error}", flush=True)
        if done >= wanted:
            break
    print(f"{what}: {done}, failed: {failed}, in {time.monotonic() - began:.0f} s", flush=True)
    return failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/crashes", description=__doc__)
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs at random moments")
    parser.add_argument("--disks", type=int, default=0, help="disks that fill, and writes that are cut short")
    parser.add_argument("--moments", type=int, default=0, help="deaths between two system calls, of each run")
    parser.add_argument("--every-moment", dest="moments", action="store_const", const=None, help="all of them")
    parser.add_argument("--signals", action="store_true", help="each signal that asks to stop")
    parser.add_argument("--scenes", type=int, help=f"only so many of the {len(SCENES)} runs")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

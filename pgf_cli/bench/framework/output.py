"""An experiment's files: NAME.csv with every single run, NAME.json, NAME.png and NAME.svg, all together or none."""

import importlib.util
import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pgf_cli.bench.framework.experiment import Experiment, Outcome, Row, Setting
from pgf_cli.bench.framework.figures import FORMATS, save_figure
from pgf_cli.bench.framework.machine import Machine, installed_versions, this_machine
from pgf_cli.bench.framework.registry import Listing
from pgf_cli.errors import PgfError
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.folder import RunFolder
from pgf_cli.tracks.output_set import OutputSet, finish_commit
from pgf_cli.tracks.staging import check_outputs

ROOM = 10 * 10**6
"""Bytes that must be free for an experiment's files."""


class MissingExtraError(PgfError, ImportError):
    """A package that every experiment needs is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"bench draws figures and {package} is not installed; pip install 'pgf-sensitivity[bench]'")


@dataclass(frozen=True)
class Document:
    """What NAME.json holds."""

    experiment: str
    title: str
    claim: str
    finding: str
    holds: bool | None
    summary: dict[str, float | None]
    """None for what is not finite."""
    table: list[dict[str, Any]]
    effort: str
    seed: int
    threads: int
    seconds_limit: float | None
    command: list[str]
    started: str
    """ISO 8601, UTC."""
    seconds: float
    machine: Machine
    versions: dict[str, str | None]


def output_files(folder: Path, name: str) -> dict[str, Path]:
    """Return an experiment's files, by kind."""
    return {kind: folder / f"{name}.{kind}" for kind in ("csv", "json", *FORMATS)}


def prepare(names: Iterable[str], folder: Path, *, force: bool) -> None:
    """Refuse before computing what would be refused after it; make the folder.

    Raises:
        MissingExtraError: there is no matplotlib.
        OutputExistsError: a file of one of the experiments is there, and `force` is not given.
        OutputFolderError, DiskSpaceError: see ``check_outputs``.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib")
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    finals = [path for name in names for path in output_files(folder, name).values()]
    check_outputs(finals, force=force, expected_bytes=ROOM)


def perform(
    listing: Listing, experiment: Experiment, setting: Setting, folder: Path, command: list[str], *, force: bool
) -> tuple[Outcome, Document]:
    """Run an experiment and write its files.

    Args:
        listing: its name and title.
        experiment: what to run.
        setting: how.
        folder: where its files go; it exists.
        command: the command line, for the record.
        force: whether existing files may be replaced.

    Raises:
        PgfError: what the experiment or the disk has to complain about; nothing is written then.
    """
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    outcome = experiment.run(setting)
    document = Document(
        experiment=listing.name,
        title=listing.title,
        claim=experiment.claim,
        finding=outcome.finding,
        holds=outcome.holds,
        summary={name: _finite(value) for name, value in outcome.summary.items()},
        table=[{name: _finite(value) for name, value in row._asdict().items()} for row in shown(outcome)],
        effort=setting.effort,
        seed=setting.seed,
        threads=setting.threads,
        seconds_limit=setting.seconds,
        command=command,
        started=started,
        seconds=round(time.monotonic() - began, 3),
        machine=this_machine(),
        versions=installed_versions(),
    )
    with RunFolder.hold(folder / listing.name) as held:
        finish_commit(held)
        outputs = OutputSet(held, force=force)
        finals = output_files(folder, listing.name)
        paths = {kind: outputs.stage(path) for kind, path in finals.items()}
        with translate_os_errors(folder):
            pd.DataFrame(outcome.rows).to_csv(paths["csv"], index=False, lineterminator="\n")
            paths["json"].write_text(as_json(document) + "\n", encoding="utf-8")
            save_figure(outcome.draw, listing.title, {kind: paths[kind] for kind in FORMATS})
        outputs.commit(finals["json"])
    return outcome, document


def shown(outcome: Outcome) -> list[Row]:
    """Return the rows to print."""
    return list(outcome.rows if outcome.table is None else outcome.table)


def as_json(document: Document) -> str:
    """Return NAME.json's text."""
    return json.dumps(asdict(document), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    """JSON has no word for NaN and infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Runs that write files, as the command line does."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import pandas as pd

from pgf_cli.api.arguments import speaking_of_arguments
from pgf_cli.genome import Genome
from pgf_cli.hits import Hit
from pgf_cli.progress import Progress, SilentProgress
from pgf_cli.runs import Provenance, RunPlan, plan_run
from pgf_cli.runs import run as carry_out
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.hit_files import read_hits_tsv
from pgf_cli.tracks.manifest import Manifest, read_manifest


class Tracks(Mapping[str, pd.DataFrame]):
    """A run's tracks by name, each read from its file when it is asked for.

    A track is a data frame with the columns chrom, start, end (0-based half-open) and value.

    Bases without a score have no row.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in list(self):
            raise KeyError(name)
        for each in self._plan.formats:
            if (frame := each.read(self._plan.outputs, name)) is not None:
                return frame
        formats = ", ".join(each.name for each in self._plan.formats)
        raise KeyError(f"{name}: no track can be read from {formats}; add formats=['bedgraph']")

    def __iter__(self) -> Iterator[str]:
        return (track.name for track in self._plan.request.tracks)

    def __len__(self) -> int:
        return len(self._plan.request.tracks)


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        manifest_path: PREFIX.run.json.
        files: every file that it wrote, by what it is.
        tracks: its tracks by name.
    """

    manifest_path: Path
    files: Mapping[str, Path]
    tracks: Tracks

    @cached_property
    def manifest(self) -> Manifest:
        """Everything that the run was, did and found."""
        return read_manifest(self.manifest_path)

    @cached_property
    def hits(self) -> pd.DataFrame:
        """The hits of every track, a row each, with the columns of PREFIX.hits.tsv."""
        columns = [field.name for field in fields(Hit)]
        return pd.DataFrame(read_hits_tsv(self.files["hits_tsv"]), columns=columns)


def run(settings: RunSettings, *, progress: Progress | None = None, provenance: Provenance | None = None) -> Run:
    """Carry out a run and write its files, as ``pgf-sensitivity run`` does with the same settings.

    Args:
        settings: what to run; ``resume=True`` goes on with one that was broken off.
        progress: told what goes on; None: nobody is.
        provenance: the command and where each setting came from, for the manifest.

    Raises:
        PgfError: what the caller has to mend, in terms of the settings' arguments.

    Example:
        >>> import pgf_cli
        >>> sample = pgf_cli.sample_data()
        >>> settings = pgf_cli.RunSettings(fasta=sample / "human_MT.fa", model=sample / "mamba_arabidopsis.safetensors")
        >>> done = pgf_cli.run(settings)  # doctest: +SKIP
        >>> done.hits.sort_values("value").tail()  # doctest: +SKIP
    """
    if provenance is not None:
        return _carry_out(settings, progress or SilentProgress(), provenance)
    with speaking_of_arguments():
        return _carry_out(settings, progress or SilentProgress(), Provenance(sys.argv, {}))


def _carry_out(settings: RunSettings, progress: Progress, provenance: Provenance) -> Run:
    with Genome.open(settings.fasta) as genome:
        plan = plan_run(settings, genome)
        for warning in plan.warnings:
            progress.warn(warning)
        manifest = carry_out(plan, provenance, progress)
        return Run(manifest, plan.outputs, Tracks(plan))

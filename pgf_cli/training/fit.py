"""A training run: samples -> adjoint sweeps -> optimiser -> checkpoint, resumable at every one of its checkpoints."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from pgf_cli.checkpoints import check_name, save_checkpoint
from pgf_cli.core.models import MambaLM
from pgf_cli.core.threads import available_threads, flush_denormals, set_threads
from pgf_cli.genome import Genome, Region
from pgf_cli.progress import Progress
from pgf_cli.tracks.staging import check_outputs
from pgf_cli.training.errors import DivergedError, ResumeError
from pgf_cli.training.evaluation import Score, score_sequence
from pgf_cli.training.gradients import TILE, set_gradients
from pgf_cli.training.initial import initial_weights
from pgf_cli.training.log import LogRow, TrainingLog
from pgf_cli.training.optimiser import make_optimiser, set_learning_rate
from pgf_cli.training.samples import Samples, held_out_regions, training_bases
from pgf_cli.training.schedule import learning_rate
from pgf_cli.training.settings import BASE_IDS, TrainSettings
from pgf_cli.training.state import TrainingState, load_state, save_state


@dataclass(frozen=True)
class TrainingFiles:
    """What a training run writes."""

    checkpoint: Path
    state: Path
    """What resuming needs."""
    log: Path

    @classmethod
    def beside(cls, checkpoint: Path) -> Self:
        """Name the files that go with a checkpoint.

        Raises:
            CheckpointError: its name ends in neither ``.safetensors`` nor ``.pt``.
        """
        check_name(checkpoint)
        return cls(checkpoint, checkpoint.with_suffix(".train.pt"), checkpoint.with_suffix(".train.csv"))

    def check(self, settings: TrainSettings, *, force: bool) -> None:
        """See before computing that all can be written; errors as for ``check_outputs``."""
        # Weights, and in the state twice more for the optimiser's moments.
        size = 4 * 4 * sum(weight.numel() for weight in initial_weights(settings.model.config(), 0).values())
        check_outputs([self.checkpoint, self.state, self.log], force=force, expected_bytes=size)


def train(
    settings: TrainSettings,
    genome: Genome,
    files: TrainingFiles,
    progress: Progress,
    *,
    resume: bool = False,
    force: bool = False,
    threads: int | None = None,
) -> None:
    """Train a model, or go on with its training, until all steps are done.

    The same settings, genome and machine give the same weights for any number of threads and however often the run was
    broken off and resumed.

    Args:
        settings: everything that decides the weights, but for the genome.
        genome: where the samples come from.
        files: what to write.
        progress: told of every sample.
        resume: go on from the saved state, which must be of the same settings and training bases.
        force: replace files of an earlier run.
        threads: worker threads; None takes every processor.

    Raises:
        PgfError: nothing to train on, nothing to resume, a file that is in the way, or a loss that is not a number.
    """
    files.check(settings, force=force or resume)
    set_threads(threads or available_threads())
    run = _Run(settings, genome, files, progress)
    if resume:
        run.restore(load_state(files.state))
        progress.message(f"{files.checkpoint}: going on after step {run.step:,} of {settings.optimiser.steps:,}")
    run.go()


class _Run:
    """A training run after some steps."""

    def __init__(self, settings: TrainSettings, genome: Genome, files: TrainingFiles, progress: Progress) -> None:
        self.settings, self.genome, self.files, self.progress = settings, genome, files, progress
        found = training_bases(genome, settings.data)
        self.samples = Samples(found.stretches, settings.data, settings.optimiser.seed)
        self.held_out: tuple[Region, ...] = held_out_regions(genome, settings.data)
        self.data = f"{found.bases:,} bases in {len(found.stretches):,} stretches, checksum {found.checksum:08x}"
        config = settings.model.config()
        self.model = MambaLM(config, BASE_IDS, "logprobs").requires_grad_(False)
        self.model.load_state_dict(initial_weights(config, settings.optimiser.seed))
        self.optimiser = make_optimiser(self.model, settings.optimiser)
        self.step, self.bases, self.seconds = 0, 0, 0.0
        self.doing = "first step"
        progress.message(f"{self.data}; {self.samples.per_epoch:,} samples an epoch")

    def restore(self, state: TrainingState) -> None:
        """Go back to where a run was saved."""
        for what, before, now in (
            ("settings are", state.settings, self.settings.text()),
            ("training bases are", state.data, self.data),
        ):
            if before != now:
                raise ResumeError(
                    f"{self.files.state}: its {what} not those of this run ({before} against {now}); "
                    "resume with the same FASTA and TOML, or start anew with --force"
                )
        self.step, self.bases, self.seconds = state.step, state.bases, state.seconds
        self.model.load_state_dict(state.weights)
        self.optimiser.load_state_dict(state.optimiser)

    def go(self) -> None:
        """Take all steps that are left."""
        chosen = self.settings.optimiser
        log = TrainingLog(self.files.log, self.step)
        began = time.perf_counter() - self.seconds
        self.progress.begin((chosen.steps - self.step) * chosen.batch * self.settings.data.sample_length)
        try:
            if self.step == 0:
                # A run killed before its first checkpoint can be resumed, too.
                self._save(None)
            while self.step < chosen.steps:
                rate, loss = learning_rate(self.step, chosen), self._take_step()
                saving = self.step % chosen.save_every == 0 or self.step == chosen.steps
                held_out = self._held_out_bits() if saving and self.held_out else None
                self.seconds = time.perf_counter() - began
                # Before the state: a row too many is dropped on resuming, a missing one would stay missing.
                log.write(LogRow(self.step, self.bases, loss, held_out, rate, self.seconds))
                if saving:
                    self._save(held_out)
        finally:
            self.progress.end()
            log.close()

    def _take_step(self) -> float:
        """Read a batch and change the weights; return its loss in bits per base."""
        chosen = self.settings.optimiser
        numbers = range(self.step * chosen.batch, (self.step + 1) * chosen.batch)
        batch = [self.samples[number].read(self.genome) for number in numbers]
        score = set_gradients(self.model, batch, lambda bases: self.progress.advance(bases, self.doing))
        if not math.isfinite(score.nats):
            raise DivergedError(self.step + 1, score.nats)
        with flush_denormals():
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), chosen.clip)
            set_learning_rate(self.optimiser, learning_rate(self.step, chosen))
            self.optimiser.step()
        self.step += 1
        self.bases += sum(map(len, batch))
        self.doing = f"step {self.step:,} of {chosen.steps:,}, loss {score.bits:.4f} bits per base"
        return score.bits

    def _held_out_bits(self) -> float:
        total = Score()
        for region in self.held_out:
            total += score_sequence(self.model, self.genome.record(region.contig), region.start, region.end, TILE)
        self.progress.message(f"step {self.step:,}: held-out loss {total.bits:.4f} bits per base")
        return total.bits

    def _save(self, held_out: float | None) -> None:
        steps, learnt = self.settings.optimiser.steps, f"{self.bases:,} bases of {self.genome.path.name}"
        note = f"step {self.step:,} of {steps:,} of training on {learnt}"
        if held_out is not None:
            note += f", {held_out:.4f} bits per base on {', '.join(map(str, self.held_out))}, held out"
        weights = self.model.state_dict()
        state = TrainingState(
            step=self.step,
            bases=self.bases,
            seconds=self.seconds,
            settings=self.settings.text(),
            data=self.data,
            weights=weights,
            optimiser=self.optimiser.state_dict(),
        )
        save_state(self.files.state, state)
        save_checkpoint(self.files.checkpoint, self.model.config, weights, BASE_IDS, note)

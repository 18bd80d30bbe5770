import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from pgf_cli.checkpoints import CheckpointError, read_checkpoint
from pgf_cli.core.models import BaseIds, MambaLM
from pgf_cli.core.one_hot import one_hot
from pgf_cli.genome import Region
from pgf_cli.tracks.staging import OutputExistsError
from pgf_cli.training import (
    DivergedError,
    ResumeError,
    Score,
    TrainingFiles,
    fit,
    initial_weights,
    train,
    training_bases,
)
from pgf_cli.training.samples import Samples


def log_rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def without_seconds(path: Path) -> list[str]:
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def files(tmp_path) -> TrainingFiles:
    return TrainingFiles.beside(tmp_path / "model.safetensors")


def plain_autograd_losses(settings, genome):
    """The same training in torch alone: autograd through ``forward``, AdamW, a learning rate written out here."""
    chosen = settings.optimiser
    model = MambaLM(settings.model.config(), BaseIds(0, 1, 2, 3, 4), "logprobs")
    model.load_state_dict(initial_weights(settings.model.config(), chosen.seed))
    decayed = [weight for name, weight in model.named_parameters() if name.endswith("proj.weight")]
    others = [weight for name, weight in model.named_parameters() if not name.endswith("proj.weight")]
    groups = [{"params": decayed, "weight_decay": chosen.weight_decay}, {"params": others, "weight_decay": 0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    samples = Samples(training_bases(genome, settings.data).stretches, settings.data, chosen.seed)
    losses = []
    for step in range(chosen.steps):
        nats, predicted = torch.zeros(()), 0
        for turn in range(chosen.batch):
            codes = samples[step * chosen.batch + turn].read(genome)
            x = one_hot(codes, torch.float32, torch.device("cpu"))
            labels = torch.from_numpy(codes[1:].astype(np.int64))
            log_p = model(x, model.initial_state(x[:0]))[0][:-1]
            nats = nats - log_p[labels < 4].gather(1, labels[labels < 4][:, None]).sum()
            predicted += int((labels < 4).sum())
        loss = nats / predicted
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), chosen.clip)
        late = (step - chosen.warmup) / (chosen.steps - chosen.warmup)
        rate = (step + 1) / chosen.warmup if step < chosen.warmup else math.cos(math.pi * late / 2) ** 2
        for group in optimiser.param_groups:
            group["lr"] = chosen.learning_rate * rate
        optimiser.step()
        losses.append(loss.item() / math.log(2))
    return losses


def test_fifty_steps_have_the_losses_of_plain_autograd(with_steps, genome, files, silent):
    settings = with_steps(steps=50, warmup=5, learning_rate=0.01, weight_decay=0.1, clip=0.2, save_every=50)
    train(settings, genome, files, silent)
    losses = [float(row["loss"]) for row in log_rows(files.log)]
    expected = plain_autograd_losses(settings, genome)
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-5)
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.02


def test_three_steps_and_three_more_are_six_bit_for_bit(settings, genome, files, silent, tmp_path, monkeypatch):
    train(settings, genome, files, silent)
    broken = TrainingFiles.beside(tmp_path / "broken.safetensors")

    # Broken off in its fifth step: the log has a row beyond the last checkpoint.
    real = fit.set_learning_rate
    calls = iter([real, real, real, real, interrupt])

    def break_off(*arguments: object) -> None:
        next(calls)(*arguments)

    monkeypatch.setattr(fit, "set_learning_rate", break_off)
    with pytest.raises(KeyboardInterrupt):
        train(settings, genome, broken, silent)
    monkeypatch.setattr(fit, "set_learning_rate", real)
    assert [row["step"] for row in log_rows(broken.log)] == ["1", "2", "3", "4"]
    assert "step 3 of 6" in read_checkpoint(broken.checkpoint, None).note
    train(settings, genome, broken, silent, resume=True)
    assert broken.checkpoint.read_bytes() == files.checkpoint.read_bytes()
    assert without_seconds(broken.log) == without_seconds(files.log)


def test_a_run_killed_before_its_first_step_can_be_resumed(settings, genome, files, silent, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fit, "set_gradients", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(settings, genome, files, silent)
    train(settings, genome, files, silent, resume=True)
    whole = TrainingFiles.beside(tmp_path / "whole.safetensors")
    train(settings, genome, whole, silent)
    assert files.checkpoint.read_bytes() == whole.checkpoint.read_bytes()


def test_threads_do_not_change_a_byte_and_the_seed_does(settings, with_steps, genome, silent, tmp_path):
    written = []
    for name, chosen, threads in (("a", settings, 1), ("b", settings, 3), ("c", with_steps(seed=6), 1)):
        files = TrainingFiles.beside(tmp_path / f"{name}.safetensors")
        train(chosen, genome, files, silent, threads=threads)
        written.append(files.checkpoint.read_bytes())
    assert written[0] == written[1] != written[2]


def test_the_log_and_the_checkpoint_tell_of_the_held_out_region(settings, genome, files, silent):
    train(settings, genome, files, silent)
    rows = log_rows(files.log)
    assert list(rows[0]) == ["step", "bases", "loss", "held_out", "learning_rate", "seconds"]
    assert [row["bases"] for row in rows] == [str(80 * step) for step in range(1, 7)]
    assert [bool(row["held_out"]) for row in rows] == [False, False, True, False, False, True]
    assert [float(row["learning_rate"]) for row in rows[:3]] == [0.005, 0.01, 0.01]
    checkpoint = read_checkpoint(files.checkpoint, None)
    codes = genome.record("chr2")[100:150]
    x = one_hot(codes, torch.float32, torch.device("cpu"))
    model = checkpoint.build("logprobs", torch.float32, torch.device("cpu"))
    labels = torch.from_numpy(codes[1:].astype(np.int64))
    expected = functional.nll_loss(model(x, model.initial_state(x[:0]))[0][:-1], labels).item() / math.log(2)
    assert float(rows[-1]["held_out"]) == pytest.approx(expected, abs=2e-6)
    assert checkpoint.note.startswith("step 6 of 6 of training on 480 bases of genome0.fa, ")
    assert checkpoint.note.endswith(f"{expected:.4f} bits per base on chr2:101-150, held out")


def test_samples_never_touch_what_is_held_out(settings, genome, files, silent, monkeypatch):
    seen = []
    real = Samples.__getitem__
    monkeypatch.setattr(Samples, "__getitem__", lambda self, number: seen.append(real(self, number)) or seen[-1])
    train(settings, genome, files, silent)
    held_out = Region("chr2", 100, 150)
    assert len(seen) == 12
    assert all(s.region.contig == "chr1" or s.region.end <= held_out.start for s in seen)


def test_resuming_something_else_is_refused(settings, with_steps, genome, make_genome, files, silent):
    with pytest.raises(ResumeError, match="nothing to resume; leave out --resume"):
        train(settings, genome, files, silent, resume=True)
    train(settings, genome, files, silent)
    with pytest.raises(ResumeError, match=r"its settings are not those of this run .* start anew with --force"):
        train(with_steps(learning_rate=0.02), genome, files, silent, resume=True)
    other = make_genome({"chr1": "ACGT" * 150, "chr2": "GATC" * 40})
    with pytest.raises(ResumeError, match="its training bases are not those of this run"):
        train(settings, other, files, silent, resume=True)
    torch.save({"step": 3}, files.state)
    with pytest.raises(ResumeError, match="is not the state of a training run"):
        train(settings, genome, files, silent, resume=True)
    files.state.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ResumeError, match=r"model.train.pt cannot be resumed from: "):
        train(settings, genome, files, silent, resume=True)


def test_a_file_in_the_way_is_kept_unless_forced(settings, genome, files, silent):
    files.log.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"model.train.csv exists already"):
        train(settings, genome, files, silent)
    assert files.log.read_text() == "mine"
    train(settings, genome, files, silent, force=True)
    assert len(log_rows(files.log)) == 6
    with pytest.raises(CheckpointError, match=r"must end in .safetensors or .pt"):
        TrainingFiles.beside(files.log)


def test_a_loss_that_is_no_number_ends_the_run(settings, genome, files, silent, monkeypatch):
    monkeypatch.setattr(fit, "set_gradients", lambda *arguments: Score(math.nan, 5))
    with pytest.raises(DivergedError, match="step 1: the loss is nan; lower learning-rate or clip"):
        train(settings, genome, files, silent)

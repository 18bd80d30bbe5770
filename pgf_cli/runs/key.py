"""What a run's values depend on, item by item, in words: what differs between two runs can be named."""

import hashlib
import json

import torch

from pgf_cli import __version__
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.store import Key
from pgf_cli.runs.tracks import direction_text

SHOWN = 16
"""Hexadecimal digits of a hash that people can compare."""


def run_key(plan: RunPlan) -> Key:
    """Return everything that decides a run's values; what only decides what becomes of them is not in it."""
    settings = plan.settings
    passes = [(one.contig, one.start, one.end, one.spans) for one in plan.selection.passes]
    own = plan.checkpoint.own_family
    seeded = settings.null is not None or settings.random_directions > 0
    return {
        "version": f"{__version__} with torch {torch.__version__}",
        "the model's tensors": plan.checkpoint.tensors_sha256[:SHOWN],
        "the model's code (--model-family)": f"{own.name} {own.sha256[:SHOWN]}" if own else "built in",
        "the alphabet": ",".join(f"{letter}={row}" for letter, row in plan.checkpoint.alphabet.items()),
        "the output layer": plan.model.output,
        "the bases read": _digest(plan.sequence_hashes),
        "the regions": _digest(passes),
        "--strand": settings.strand,
        "--mode": settings.mode,
        "the direction": direction_text(settings, plan.sites),
        "the pulses": _digest([str(site) for site in plan.sites]),
        "--separate": str(settings.separate),
        "--ghost-distance": str(settings.ghosts_from),
        "--mask-targets": str(settings.mask_targets),
        "the objective": plan.objective.text(plan.model.output) if plan.objective else "none",
        "the targets": _digest([str(target) for target in plan.objective.targets] if plan.objective else []),
        "--track": ",".join(track.name for track in plan.tracks if not track.is_tangent),
        "the gradient correction": str(settings.gradient_correction),
        "hypothetical scores (--format)": str(plan.hypothetical),
        "--null": str(settings.null),
        "--seed": str(settings.seed) if seeded else "not used",
        "--dtype": settings.dtype,
        "--tile": str(plan.tile),
        "--segment": str(settings.segment),
        "--device": plan.model.device.type,
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:SHOWN]

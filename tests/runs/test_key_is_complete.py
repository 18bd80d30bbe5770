"""No setting is forgotten: it is in the key of a run, changes nothing written, or decides what becomes of values."""

import inspect
from dataclasses import fields

from pgf_cli.runs.key import run_key
from pgf_cli.runs.run import NOT_OF_THE_RESULT
from pgf_cli.settings import RunSettings

IN_THE_KEY = {
    "fasta": "the bases read",
    "model": "the model's tensors",
    "alphabet": "the alphabet",
    "model_family": "the model's code (--model-family)",
    "regions": "the regions",
    "bed": "the regions",
    "chroms": "the regions",
    "context": "the regions",
    "window": "the regions",
    "overlap": "the regions",
    "strand": "--strand",
    "mode": "--mode",
    "direction": "the direction",
    "pulses": "the pulses",
    "pulses_bed": "the pulses",
    "separate": "--separate",
    "ghost_distance": "--ghost-distance",
    "objective": "the objective",
    "targets": "the targets",
    "mask_targets": "--mask-targets",
    "adjoint_tracks": "--track",
    "gradient_correction": "the gradient correction",
    "output_layer": "the output layer",
    "null": "--null",
    "seed": "--seed",
    "dtype": "--dtype",
    "tile": "--tile",
    "segment": "--segment",
    "device": "--device",
}
OF_WHAT_BECOMES_OF_VALUES = {"output", "formats", "hits", "hit_distance", "trace", "probe_depth", "bgzip", "track_line"}


def test_every_setting_has_its_place():
    source = inspect.getsource(run_key)
    names = {field.name for field in fields(RunSettings)}
    assert names == set(IN_THE_KEY) | OF_WHAT_BECOMES_OF_VALUES | NOT_OF_THE_RESULT
    assert all(f'"{item}": ' in source for item in IN_THE_KEY.values())
    assert not set(IN_THE_KEY) & (OF_WHAT_BECOMES_OF_VALUES | NOT_OF_THE_RESULT)

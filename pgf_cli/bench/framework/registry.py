"""All experiments by name. Their modules are imported when one is run, so that a listing answers at once."""

from importlib import import_module
from typing import NamedTuple

from pgf_cli.bench.framework.experiment import Experiment


class Listing(NamedTuple):
    """An experiment as it is listed."""

    name: str
    """Also the name of its module."""
    title: str
    """One line for a list and for a figure's top."""


LISTINGS = (
    Listing("speed", "Bases per second and memory beside other ways to the same derivative"),
    Listing("length", "Time and peak memory against length"),
    Listing("scaling", "Memory and time of a derivative against length, beside torch's own ways"),
    Listing("gradients", "Peak memory of parameter gradients against length"),
    Listing("frontier", "Speed against memory on the paper's smallest model"),
    Listing("fidelity", "Error over stiffness and length in every family, and finite differences"),
    Listing("stiffness", "Error over stiffness, with a scan that divides by cumulative products beside ours"),
    Listing("precision", "Error by number format, with the state in float32 and without"),
    Listing("pulse", "Where the response to an impulse goes, in noise and along a chromosome"),
    Listing("long", "A long sequence window by window: time, memory, response"),
    Listing("complexity", "Cost against state size, width, length, directions and layers"),
    Listing("training", "Loss curve and memory of training by the tiled adjoint, beside autograd"),
)


def listing_of(name: str) -> Listing:
    """Return the experiment of a name that is listed."""
    return next(listing for listing in LISTINGS if listing.name == name)


def load(listing: Listing) -> Experiment:
    """Import an experiment."""
    experiment: Experiment = import_module(f"pgf_cli.bench.studies.{listing.name}.study").EXPERIMENT
    return experiment

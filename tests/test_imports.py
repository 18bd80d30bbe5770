"""Imports run one way: every room of the package uses lower ones alone, and numbers know nothing of files or terminals.

Read from the source of every module, imports within functions and for type checkers among them.
"""

import ast
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "pgf_cli"
ROOT = Path(__file__).parents[1]

FLOORS = (
    ("errors", "printable", "progress", "atomic", "interrupts", "inputs", "options", "sample_folder"),
    ("core.choices", "core.bases", "core.cpu_quota", "core.memory", "core.threads", "core.devices", "core.one_hot"),
    ("core.directions", "core.objectives", "core.ops", "core.models", "core.tiles", "core.sweeps", "core.certificate"),
    ("genome", "hits", "sweeps", "tracks", "settings", "checkpoints", "training", "runs", "api", "reports", "testing"),
    ("bench.framework", "bench.subjects", "bench.baselines", "bench.studies"),
    ("cli", "__main__"),
)
ROOMS = [room for floor in FLOORS for room in floor]
"""Rooms and single modules, from the lowest to the highest."""

OF_NUMBERS = {"torch", "numpy", "numba", "llvmlite", "triton"}
"""What core may import that is not Python's own."""

PLACES = {
    "typer": {"cli"},
    "rich": {"cli", "reports", "bench.framework"},
    "pandas": {"api", "tracks", "bench.framework"},
    "polars": {"tracks", "cli"},
    "pydantic": {"tracks"},
    "safetensors": {"checkpoints", "runs", "testing"},
    "matplotlib": {"bench.framework", "bench.studies"},
    "transformers": {"bench.baselines"},
}
"""Where a library is used; a second place for what one place does already is a decision, not an accident."""

CONSUMERS = ("runs.kinds", "runs.trace", "api.sensitivity")
"""Modules that sweep through the seam."""
PLANS_ONLY = {"runs.assembly"}
"""Asks the seam for a sweep's schedule and never for its tiles."""

PAST_THE_SEAM = {
    "core.certificate": "compares sweeps with each other",
    "bench": "measures the sweeps themselves",
    "testing": "compares sweeps with each other",
    "checkpoints.footprint": "counts what a sweep holds",
    "training.gradients": "wants the gradients of the parameters",
    "training.evaluation": "wants the output alone",
}
"""Who calls the sweeps of core directly, and why."""


class Import(NamedTuple):
    """An import of one name."""

    module: str
    """Without the package's own name, where it is of the package; else the library's."""
    name: str
    """What is taken from the module; empty where all of it is."""
    own: bool


@cache
def modules():
    """Every module of the package to its file; names are without the package's."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module):
    """What a module imports, wherever in it."""
    found = []
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [_import(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            found += [_import(str(node.module), alias.name) for alias in node.names]
    return found


def _import(target, name):
    first, _, rest = target.partition(".")
    if first != PACKAGE:
        return Import(first, name, own=False)
    inner = f"{rest}.{name}".strip(".")
    return Import(inner, "", own=True) if name and inner in modules() else Import(rest, name, own=True)


def room_of(module):
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), None)


def inside(module, place):
    return module == place or module.startswith(f"{place}.")


def test_every_module_is_in_a_room():
    of_packages = {"", "core", "bench"}
    assert [module for module in modules() if room_of(module) is None and module not in of_packages] == []
    empty = [room for room in ROOMS if not any(inside(module, room) for module in modules())]
    assert empty == []
    for package in of_packages - {""}:
        assert imports(package) == []


def test_every_room_imports_lower_ones_alone():
    wrong = [
        f"{module} imports {each.module}"
        for module in modules()
        for each in imports(module)
        if each.own
        and each.module
        and (here := room_of(module)) is not None
        and here != (there := room_of(each.module))
        and (there is None or ROOMS.index(there) > ROOMS.index(here))
    ]
    assert wrong == []


def test_what_is_inside_takes_its_version_and_folder_alone_from_the_package_itself():
    # The names that it offers to notebooks come from the rooms above.
    taken = {(module, each.name) for module in modules() for each in imports(module) if each.own and not each.module}
    assert {name for _, name in taken} <= {"__version__", ""}
    assert {module for module, name in taken if not name} <= {"sample_folder"}


def test_the_package_itself_offers_what_api_and_the_rooms_below_it_have():
    highest = ROOMS.index("api")
    assert all(ROOMS.index(str(room_of(each.module))) <= highest for each in imports("") if each.own)


def test_core_imports_numbers_alone():
    core = [module for module in modules() if inside(module, "core")]
    wrong = [
        f"{module} imports {each.module}"
        for module in core
        for each in imports(module)
        if not (inside(each.module, "core") or each.module == "errors" if each.own else _is_of_numbers(each.module))
    ]
    assert wrong == []


def _is_of_numbers(library):
    return library in OF_NUMBERS or library in sys.stdlib_module_names


@pytest.mark.parametrize("module", ["core.choices", "core.bases", "core.cpu_quota", "core.memory", "errors"])
def test_the_ground_floor_stands_on_nothing(module):
    assert [each for each in imports(module) if each.own] == []


@pytest.mark.parametrize("library", PLACES)
def test_a_library_is_used_where_its_job_is_done(library):
    users = {module for module in modules() if any(each == library for each, _, own in imports(module) if not own)}
    assert users, "nobody uses it"
    assert [module for module in users if not any(inside(module, place) for place in PLACES[library])] == []


def test_everybody_who_sweeps_does_it_through_the_seam():
    sweeps = {"tangent_sweep", "adjoint_sweep"}
    callers = {
        module for module in modules() for each in imports(module) if inside(each.module, "core.sweeps")
        if each.name in sweeps and not inside(module, "core.sweeps") and not inside(module, "sweeps")
    }  # fmt: skip
    assert [module for module in callers if not any(inside(module, place) for place in PAST_THE_SEAM)] == []
    for place in PAST_THE_SEAM:
        assert any(inside(module, place) for module in callers), place


def test_consumers_of_the_seam_do_not_know_each_other():
    functions = ("responses", "gradients")
    # A function and the module that it is in have one name.
    seam = [Import(f"sweeps.{module}", name, own=True) for module in functions for name in ("", *functions)]
    users = {
        module for module in modules() for each in imports(module) if each in seam and not inside(module, "sweeps")
    }
    assert users == {*CONSUMERS, *PLANS_ONLY}
    for module in CONSUMERS:
        assert [other for other in CONSUMERS if other != module and other in reached(module)] == []


def test_a_notebook_s_sensitivities_need_no_run():
    assert [module for module in reached("api.sensitivity") if inside(module, "runs")] == []


def test_training_and_reports_need_no_run():
    for module in modules():
        if inside(module, "training") or inside(module, "reports"):
            assert [other for other in reached(module) if inside(other, "runs") or inside(other, "api")] == [], module


@cache
def reached(module):
    """Modules that a module imports, and those that they import, and so on; packages by the modules that they name."""
    found, waiting = set(), [module]
    while waiting:
        for each in imports(waiting.pop()):
            # From the package itself only its version is taken.
            if each.own and each.module and each.module not in found:
                found.add(each.module)
                waiting.append(each.module)
    return frozenset(found)

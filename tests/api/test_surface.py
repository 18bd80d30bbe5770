"""What ``import pgf_cli`` offers: documented names, examples that work, and nothing imported before it is asked for."""

import doctest
import importlib
import inspect
import subprocess
import sys

import pytest

import pgf_cli


def test_every_public_name_is_there_and_documented():
    assert set(pgf_cli.__all__) <= set(dir(pgf_cli))
    for name in pgf_cli.__all__:
        value = getattr(pgf_cli, name)
        assert inspect.getdoc(value), name
        assert value.__module__.startswith("pgf_cli.")
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = pgf_cli.nothing_such


@pytest.mark.parametrize("module", ["models", "sequences", "sensitivity", "running"])
def test_examples_in_docstrings_work(module):
    found = doctest.testmod(
        importlib.import_module(f"pgf_cli.api.{module}"), extraglobs={"np": importlib.import_module("numpy")}
    )
    assert found.attempted
    assert not found.failed


def test_importing_the_package_imports_neither_torch_nor_numpy():
    code = "import pgf_cli, sys; print(sorted({'torch', 'numpy', 'pandas', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

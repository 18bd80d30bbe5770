"""Kernels are compiled once where they can be kept, and compute the same where they cannot; see ``_numba/jit.py``."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numba.core import config

from pgf_cli.core.ops._numba import jit

VALUES = np.arange(5.0)


def double(values, out):
    for i in range(len(values)):
        out[i] = 2 * values[i]


def triple(values, out):
    for i in range(len(values)):
        out[i] = 3 * values[i]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of this test's own, and nothing said yet."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit._KernelCache, "_keeps", True)
    return tmp_path / "pgf-sensitivity"


def compiled(loop, factor):
    """Compile a loop as a new process would; return how often it came from the cache."""
    dispatcher, out = jit.kernel(loop), np.zeros_like(VALUES)
    dispatcher(VALUES, out)
    assert out.tolist() == (factor * VALUES).tolist()
    return sum(dispatcher.stats.cache_hits.values())


def test_what_was_compiled_is_loaded_by_the_next_process(folder, caplog):
    assert compiled(double, 2) == 0
    assert compiled(double, 2) == 1
    assert len(list(folder.iterdir())) == 1
    assert not caplog.records


def emptied(content):
    return b""


def cut_in_half(content):
    return content[: len(content) // 2]


def with_a_bit_turned(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damaged", [emptied, cut_in_half, with_a_bit_turned])
def test_a_damaged_file_is_compiled_and_written_again(folder, damaged):
    compiled(double, 2)
    [path] = folder.iterdir()
    healthy = path.read_bytes()
    path.write_bytes(damaged(healthy))
    assert compiled(double, 2) == 0
    assert compiled(double, 2) == 1
    assert [path] == list(folder.iterdir())


def test_where_no_folder_can_be_made_kernels_compile_with_one_warning(folder, caplog):
    folder.write_text("in the way")
    assert compiled(double, 2) == compiled(triple, 3) == 0
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert f"'{folder}': File exists" in record.getMessage()
    assert "NUMBA_CACHE_DIR" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_full_disk_leaves_nothing_behind(folder, caplog, monkeypatch):
    def half_written(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_written)
    assert compiled(double, 2) == 0
    assert list(folder.iterdir()) == []
    assert "No space left on device" in caplog.text


def test_a_folder_that_is_read_only_still_serves_what_it_holds(folder, monkeypatch, tmp_path):
    compiled(double, 2)
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr(jit, "_folders", lambda: iter([tmp_path / "nothing here", folder]))
    assert compiled(double, 2) == 1


def test_without_a_home_that_is_a_place_the_cache_is_beside_the_code_alone(monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "nowhere")
    assert list(jit._folders()) == [Path(jit.__file__).parent / "__pycache__"]


@pytest.mark.parametrize(
    ("source", "counts"),
    [("_numba/exponential.py", True), ("selective_scan/cpu.py", True), ("activations.py", True), ("linear.py", False)],
)
def test_an_edit_of_anything_that_kernels_are_made_of_gives_new_names(source, counts, tmp_path, monkeypatch):
    operators = shutil.copytree(jit._OPERATORS, tmp_path / "ops")
    monkeypatch.setattr(jit, "_OPERATORS", operators)
    before = jit._code_key.__wrapped__()
    with (operators / source).open("a") as file:
        file.write("# edited\n")
    assert (jit._code_key.__wrapped__() != before) is counts


def test_each_processor_has_files_of_its_own(folder):
    this, other = (
        SimpleNamespace(magic_tuple=lambda cpu=cpu: ("triple", cpu, "+avx2")) for cpu in ("znver3", "znver4")
    )
    kernels = jit._KernelCache("double")
    assert kernels._file_name("float64", this) != kernels._file_name("float64", other)
    assert kernels._file_name("float64", this) != kernels._file_name("float32", this)


def test_numba_told_not_to_compile_is_refused_with_what_to_unset(monkeypatch):
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    with pytest.raises(jit.CompilerSwitchedOffError, match="unset NUMBA_DISABLE_JIT"):
        jit.kernel(double)

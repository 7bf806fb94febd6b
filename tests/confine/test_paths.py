"""What the interpreter needs after the confinement."""

import os
import sysconfig
from pathlib import Path

import pytest

from pageworker_sandbox.confine import paths


def test_the_interpreters_paths_hold_the_standard_library_and_the_time_zones() -> None:
    found = paths.interpreter()
    assert os.path.realpath(sysconfig.get_path("stdlib")) in found
    assert "/usr/share/zoneinfo" in found
    assert len(found) == len(set(found))
    assert all(path.startswith("/") for path in found)


def test_folders_of_mapped_libraries_are_among_them() -> None:
    import _ctypes

    assert os.path.dirname(os.path.realpath(_ctypes.__file__)) in paths.interpreter()  # noqa: PTH120 - compared as text


def test_an_empty_entry_of_the_search_path_is_not_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert str(tmp_path) not in paths.interpreter()


def test_the_loader_is_found() -> None:
    assert paths.loaders()
    assert all(os.access(path, os.X_OK) for path in paths.loaders())

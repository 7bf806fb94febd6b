"""The interpreter of a sandbox: found, moved where its path would reveal something, refused where it does not fit."""

import os
import shutil
import sysconfig
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import interpreter, survey
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind, Mask


def test_an_interpreter_in_a_private_folder_is_moved(tmp_path: Path) -> None:
    version = sysconfig.get_python_version()
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    python = tmp_path / "bin" / f"python{version}"
    shutil.copy(os.path.realpath("/usr/bin/python3"), python)
    (tmp_path / "lib" / f"python{version}").symlink_to(sysconfig.get_path("stdlib"))
    tmp_path.chmod(0o700)
    found = interpreter.find_interpreter(python)
    assert isinstance(found, interpreter.Interpreter)
    assert found.executable == Path("/opt/pageworker/python/bin") / python.name
    assert not any(isinstance(m, Bind) and m.inside.is_relative_to(tmp_path) for m in found.mounts)
    survey(python, sandboxes.HEADLESS)  # starts it in a sandbox


def test_installed_packages_are_masked(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "python3.11" / "dist-packages").mkdir(parents=True)
    assert set(interpreter.masks(tmp_path, Path("/x"))) == {
        Mask(Path("/x/site-packages")),
        Mask(Path("/x/python3.11/dist-packages")),
    }


def test_another_pythons_packages_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "cpython-399")
    found = interpreter.find_interpreter(None)
    assert isinstance(found, HostProblem)
    assert "cpython-399" in found.what


@pytest.mark.parametrize("wanted", ["/bin/true", "/nonexistent/python"])
def test_a_program_that_is_no_python_is_refused_with_its_fix(wanted: str) -> None:
    found = interpreter.find_interpreter(Path(wanted))
    assert isinstance(found, HostProblem)
    assert "sandbox.python" in found.mend

"""Looking a host over: everything at once, each thing with its mend."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import HostUnfit, checks, elf, interpreter, survey
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind, Mask
from pageworker_sandbox.launch.run_program import run_program


def test_this_host_is_fit_and_says_what_it_found() -> None:
    host = survey(None, None)
    assert host.browser == sandboxes.FULL
    assert host.python.name.startswith("python3")


def test_all_problems_come_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostUnfit) as caught:
        survey(Path("/bin/cat"), Path("/usr/bin/chromium"))
    problems = {problem.what: problem for problem in caught.value.problems}
    assert len(problems) == 3
    text = str(caught.value)
    assert "bubblewrap is not installed" in text
    assert "no Python" in text
    assert "wrapper script" in text
    assert all(problem.mend and problem.where for problem in problems.values())


def test_a_browser_that_is_not_there() -> None:
    with pytest.raises(HostUnfit, match=r"no browser \(/nonexistent\)"):
        survey(None, Path("/nonexistent"))


def test_the_checks_are_all_good_here() -> None:
    assert [check for check in checks() if not check.ok] == []
    assert {check.name for check in checks()} >= {"bubblewrap", "user namespaces", "Landlock", "browser", "fonts"}


def test_a_check_that_fails_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = {check.name: check for check in checks() if not check.ok}
    assert set(failed) >= {"bubblewrap", "user namespaces", "fresh /proc", "a whole sandbox"}
    assert all(check.mend for check in failed.values())


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
    survey(python, sandboxes.HEADLESS)  # starts it in a cell


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


def test_a_host_that_was_suspended_meanwhile_has_not_lost_its_answer() -> None:
    # The program that is asked stops who asks, and for longer than the answer may take.
    program = "(sleep 1.2; kill -CONT $PPID) >/dev/null 2>&1 & echo said; kill -STOP $PPID"
    code = f"""
from pageworker_sandbox.launch.run_program import run_program
print(run_program(["sh", "-c", {program!r}], 1.0).stdout)
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "said"


def test_a_program_that_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(["sleep", "1000"], 0.5)


@pytest.mark.browser
def test_libraries_are_found_as_the_loader_finds_them() -> None:
    names = {path.name for path in elf.libraries(sandboxes.FULL)}
    assert "libc.so.6" in names
    assert any(name.startswith("ld-") for name in names)


def test_a_script_has_no_libraries() -> None:
    with pytest.raises(elf.NotElf):
        elf.libraries(Path("/usr/bin/chromium"))

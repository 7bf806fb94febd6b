"""The folder worker as a process: its answer, its priority, and its end with the daemon."""

import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pageworker_profiles import folder_worker


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-S", folder_worker.__file__, *arguments]
    return subprocess.run(command, capture_output=True, env={}, cwd="/", check=False)


def test_the_answer_is_a_dict_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run(str(os.getpid()), "-", "measure", str(tmp_path), "10", "1000000")
    answer: dict[str, Any] = marshal.loads(ended.stdout)
    assert (ended.returncode, answer["files"]) == (0, 1)


def test_a_worker_whose_daemon_has_ended_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run("1" if os.getpid() != 1 else "2", "-", "remove", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert (tmp_path / "file").exists()


def test_it_runs_at_low_priority_and_is_killed_with_its_parent(tmp_path: Path) -> None:
    # os.nice and prctl are asked within the worker, in the place of a walk.
    code = f"""
import ctypes, os, sys
sys.argv = [{folder_worker.__file__!r}]
import importlib.util
spec = importlib.util.spec_from_file_location("worker", {folder_worker.__file__!r})
worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)
worker.main([str(os.getppid()), "-", "measure", {str(tmp_path)!r}, "1", "1"])
signal_at_death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(signal_at_death), 0, 0, 0)
print("", os.nice(0), signal_at_death.value, "redis" in sys.modules, file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=False, check=True)
    niceness, signal_number, _ = ended.stderr.decode().split()
    assert int(niceness) >= folder_worker.NICENESS
    assert int(signal_number) == 9


def test_it_imports_the_walks_and_nothing_that_takes_long(tmp_path: Path) -> None:
    code = f"""
import sys, importlib.util
spec = importlib.util.spec_from_file_location("worker", {folder_worker.__file__!r})
worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)
import os
worker.main([str(os.getppid()), "-", "measure", {str(tmp_path)!r}, "1", "1"])
slow = ("asyncio", "json", "socket")
print(*sorted(name for name in sys.modules if name.startswith("pageworker") or name in slow), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=True)
    assert ended.stderr.decode().split() == [
        "pageworker_profiles",
        "pageworker_profiles.browser_version",
        "pageworker_profiles.errors",
        "pageworker_profiles.opening_marker",
        "pageworker_profiles.sizes",
        "pageworker_profiles.trees",
        "pageworker_profiles.walks",
    ]

"""The entry point: what it says where the program cannot be imported."""

import subprocess
import sys

from pageworker_supervisor import daemon
from pageworker_supervisor.exit_codes import DaemonExit

IMPORT = """
import resource, sys
from pageworker_supervisor import daemon
{before}
daemon.main()
"""


def ended(before: str) -> tuple[int, str]:
    """Exit code and stderr of a daemon that imports the program after this code."""
    command = [sys.executable, "-c", IMPORT.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_it_has_the_exit_code_of_the_table() -> None:
    assert daemon.IN_USE == DaemonExit.IN_USE


def test_imports_without_descriptors_end_in_one_line() -> None:
    code, said = ended("resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))")
    assert (code, said.count("\n")) == (daemon.IN_USE, 1)
    assert said.startswith("this process has ")


def test_another_failed_import_is_shown_whole() -> None:
    code, said = ended("sys.modules['pageworker_supervisor.foreground'] = None")
    assert code == 1
    assert "Traceback" in said
    assert "pageworker_supervisor.foreground" in said


def test_the_garbage_collector_ignores_what_was_imported() -> None:
    said_by_run = "f'{gc.isenabled()} {gc.get_freeze_count() > 0}'"
    program = f"types.SimpleNamespace(run=lambda: sys.stderr.write({said_by_run}))"
    assert ended(f"import gc, types; sys.modules['pageworker_supervisor.foreground'] = {program}") == (0, "True True")

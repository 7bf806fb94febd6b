"""The plugin of module authors: names of HAR files, and the fixtures that it gives to any pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

from pageworker_author.pytest_plugin import har_name, module_folder


@pytest.mark.parametrize(
    ("test", "call", "name"),
    [
        ("test_reads_a_price", 1, "reads_a_price"),
        ("test_reads_a_price", 2, "reads_a_price-2"),
        ("test_each[a/b c-../x]", 1, "each-a-b-c-..-x"),
    ],
)
def test_a_har_file_has_the_name_of_its_test(test: str, call: int, name: str) -> None:
    assert har_name(test, call) == name


def test_the_module_is_the_nearest_folder_above(tmp_path: Path) -> None:
    tests = tmp_path / "acme.prices" / "tests"
    tests.mkdir(parents=True)
    assert module_folder(tests) is None
    module_folder.cache_clear()
    (tmp_path / "acme.prices" / "module.toml").touch()
    assert module_folder(tests) == tmp_path / "acme.prices"


def test_a_plain_pytest_imports_nothing_of_pageworker_but_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import sys\n\n\ndef test_imports():\n"
        "    found = {name for name in sys.modules if name.startswith('pageworker') and 'editable' not in name}\n"
        "    assert found == {'pageworker_author', 'pageworker_author.pytest_plugin'}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_test_outside_of_a_module_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text("def test_a_job(run_job):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "is not in the folder of a module" in done.stdout

"""The shipped pages are those of the docstrings; each command has an example that is a valid command line."""

import os
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli.commands import CALLABLE

from pageworker_supervisor.cli.app import app
from pageworker_supervisor.cli.help_page import FOLDER, page_file, shipped_page
from pageworker_supervisor.cli.help_pages import every_command, pages
from pageworker_supervisor.cli.reference import EXAMPLE

WORKERCTL = Path(sys.executable).with_name("workerctl")
UPDATE = "run python -m pageworker_supervisor.cli.generate"
MOST_OF_IMPORT = 2.0
"""CPU of `--help`, as a multiple of that of `import cyclopts`."""
IMPORT = "import cyclopts"
MEASURED = ("", "jobs cancel")
ROUNDS = 7
NAMES = [page_file(()), *(page_file(path) for path, _ in every_command())]
PAGES = pages()
"""Made before any test runs: a test that calls a command has its group imported, which changes its line in the list."""


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_page_is_current(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name], UPDATE


def test_no_page_is_left_of_a_command_that_is_gone() -> None:
    assert {file.name for file in FOLDER.iterdir()} == set(PAGES), UPDATE


@pytest.mark.parametrize("path", CALLABLE, ids=" ".join)
def test_every_example_is_a_valid_command_line(path: tuple[str, ...]) -> None:
    examples = EXAMPLE.findall(PAGES[page_file(path)])
    assert examples, "the docstring has no line such as: Example: `workerctl …`."
    for example in (part for line in examples for part in line.split(" | ")):
        program, *words = shlex.split(example)
        assert program == "workerctl"
        assert tuple(words[: len(path)]) == path or path == ("jobs",)
        app.parse_args(words, print_error=False)


def cpu_seconds(words: Sequence[str]) -> float:
    """CPU time of one run of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "80"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture(scope="module")
def costs() -> dict[str, float]:
    """Median CPU seconds of each program. They take turns, so what disturbs the host disturbs all of them."""
    programs = {path: [str(WORKERCTL), *path.split(), "--help"] for path in MEASURED}
    programs[IMPORT] = [sys.executable, "-c", IMPORT]
    rounds = [{name: cpu_seconds(words) for name, words in programs.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(each[name] for each in rounds) for name in programs}


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path or "workerctl")
def test_help_costs_little_more_than_to_import_cyclopts(costs: dict[str, float], path: str) -> None:
    assert shipped_page(path.split()) is not None
    assert costs[path] <= MOST_OF_IMPORT * costs[IMPORT]

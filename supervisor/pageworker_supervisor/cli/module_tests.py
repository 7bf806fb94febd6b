"""`workerctl module test`: runs the tests of modules by pytest, with requests answered from HAR files."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_sandbox.signing.manifest import FILE
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.printable import printable

TESTS = "tests"
"""The folder of a module's tests. It is not packed."""
PYTEST_NOTHING = 5
"""Exit code of pytest: no tests were collected. Source: docs.pytest.org, "Exit codes"."""
CONFIGURATIONS = ("pytest.toml", "pytest.ini")
"""Names of pytest's own configuration, if the author has one in the module's folder."""
WITHOUT = ("asyncio", "anyio")
"""Plugins that would run the tests with a `page`, on another event loop than the page's."""


def run_tests(
    *folders: Path,
    record: Annotated[bool, Parameter(negative=())] = False,
    select: Annotated[str | None, Parameter(name=("--select", "-k"))] = None,
    secrets: Path | None = None,
    config: Config = None,
) -> CommandExit:
    """Run the tests of modules. Each job runs in the sandbox of a worker, without Redis and without a network.

    Tests are in FOLDER/tests, for pytest, which must be installed in the same environment. The fixture `run_job` runs
    the module and returns its result. The page's requests are answered from tests/NAME.har, and others are refused by
    name. With --record, the requests go out, and the files are written. The exit code is 0 if every test passes.

    Example: `workerctl module test acme.prices`.

    Parameters
    ----------
    folders
        Folders, each with a module.toml and a folder tests.
    record
        Write the HAR files of the tests that run. Secrets in them are replaced by placeholders.
    select
        Run the tests that match this expression: option -k of pytest.
    secrets
        TOML file with the tables [secrets] and [proxies.NAME], of mode 0600. Needs --record.
    """
    if not folders:
        raise CommandError("name the folder of a module", exit_code=CommandExit.USAGE)
    if secrets is not None and not record:
        raise CommandError(
            "--secrets needs --record: a test that replays gets placeholders in place of secrets",
            "Leave the option out, or add --record.",
            CommandExit.USAGE,
        )
    for folder in folders:
        _check(folder)
    if find_spec("pytest") is None:
        raise CommandError("pytest is not installed", f"Run `{printable(sys.executable)} -m pip install pytest`.")
    words = [*(f"--pageworker-{name}={value}" for name, value in (("config", config), ("secrets", secrets)) if value)]
    words += ["--pageworker-record"] if record else []
    words += ["-k", select] if select else []
    status = subprocess.run(_command(folders, words), check=False).returncode
    if status == PYTEST_NOTHING:
        raise CommandError("there is no test", f"Write one into {printable(folders[0] / TESTS)}/test_module.py.")
    return CommandExit.DONE if status == 0 else CommandExit.FAILED


def _check(folder: Path) -> None:
    if not (folder / FILE).is_file():
        raise CommandError(f"{printable(folder)} has no {FILE}", "Name the folder of a module.")
    if not (folder / TESTS).is_dir():
        raise CommandError(f"{printable(folder)} has no folder {TESTS}", "docs/modules.md shows a test.")


def _command(folders: tuple[Path, ...], words: list[str]) -> list[str]:
    """The command line of pytest. Without a configuration of the module's own, none is used: pytest would look for one
    in the folders above."""
    places = [folder.absolute() for folder in folders]
    # pytest names a file by its path below the root, and a name that begins with that of a module's package hides it.
    root = places[0] if len(places) == 1 else Path("/")
    own = (place / name for place in places for name in CONFIGURATIONS)
    configuration = next((file for file in own if file.is_file()), Path("/dev/null"))
    return [
        *(sys.executable, "-m", "pytest", "-c", str(configuration), f"--rootdir={root}"),
        *("-p", "no:cacheprovider", "--import-mode=importlib"),
        *(word for name in WITHOUT for word in ("-p", f"no:{name}")),
        *words,
        *(str(folder / TESTS) for folder in folders),
    ]

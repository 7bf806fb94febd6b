"""A pytest plugin for the suite's own interpreter: runs its tests on one Chromium, and writes a line per test.

The environment says which browser (`SUITE_BROWSER`) and which file (`SUITE_OUTCOMES`). The suite's fixtures launch a
browser without a path, so the path is added to the calls.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserType
from playwright_suite.sandboxed import moved_parts

LAUNCHES = ("launch", "launch_persistent_context")


def _launch_one_browser(program: str) -> None:
    for name in LAUNCHES:
        plain = getattr(BrowserType, name)

        def launch(self: BrowserType, *given: Any, _plain: Any = plain, **named: Any) -> Any:
            return _plain(self, *given, **{"executable_path": program, **named})

        setattr(BrowserType, name, launch)


moved_parts.install()
_launch_one_browser(os.environ["SUITE_BROWSER"])


def own_arguments(item: pytest.Function) -> list[str]:
    """The fixtures that the test's file names: those of the test, and those that its own fixtures need."""
    info = item._fixtureinfo
    names = set(info.argnames)
    for name, definitions in info.name2fixturedefs.items():
        if definitions[-1].baseid.startswith(str(item.nodeid).partition("::")[0]):
            names |= {name, *definitions[-1].argnames}
    return sorted(names - {"self", "request"})


class OutcomeWriter:
    """Appends a JSON line for each test once it has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._worst: dict[str, tuple[str, str]] = {}
        self._items: dict[str, pytest.Function] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the items by their ids."""
        self._items = {item.nodeid: item for item in items if isinstance(item, pytest.Function)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Setup, call or teardown of one test has ended."""
        if report.outcome != "passed" or report.when == "call":
            reason = (
                str(report.longrepr)[-1500:].encode(errors="replace").decode() if report.outcome != "passed" else ""
            )
            if self._worst.get(report.nodeid, ("passed", ""))[0] == "passed":
                self._worst[report.nodeid] = (report.outcome, reason)
        if report.when == "teardown":
            self._write(report.nodeid)

    def _write(self, nodeid: str) -> None:
        item = self._items[nodeid]
        outcome, reason = self._worst[nodeid]
        spec = getattr(item, "callspec", None)
        indices = {} if spec is None else {name: at for name, at in spec.indices.items() if name != "browser_name"}
        line = {
            "id": nodeid,
            "file": nodeid.partition("::")[0],
            "group": item.cls.__name__ if item.cls else "",
            "function": item.function.__name__,
            "indices": indices,
            "arguments": own_arguments(item),
            "outcome": outcome,
            "reason": reason,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Start writing."""
    config.pluginmanager.register(OutcomeWriter(Path(os.environ["SUITE_OUTCOMES"])), "suite-outcomes")

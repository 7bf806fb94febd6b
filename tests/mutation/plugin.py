"""A pytest plugin: which tests failed, and whether our code really came from the tree that is under trial."""

import json
import os
import sys
from pathlib import Path

import pytest

REPORT = "PW_MUTANTS_REPORT"
"""Environment: where to write what was seen."""


class Witness:
    """Counts a failing set-up or clean-up as a failing test: the harness checks the queue's books there."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        names = {report.nodeid, report.nodeid.partition("[")[0]}
        self.seen |= names
        if report.failed:
            self.failed |= names

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        told = {"seen": sorted(self.seen), "failed": sorted(self.failed), "strange": strangers(session.config.rootpath)}
        Path(os.environ[REPORT]).write_text(json.dumps(told))


def strangers(root: Path) -> list[str]:
    """Modules of ours that were imported from elsewhere: an editable install names another folder."""
    ours = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if _is_ours(name)}
    return sorted(name for name, file in ours.items() if file and not Path(file).is_relative_to(root))


def _is_ours(name: str) -> bool:
    return name.startswith(("pageworker", "pw_", "chaos"))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Witness())

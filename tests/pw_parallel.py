"""What runs side by side under pytest-xdist (`make test`), and in which order the processes take it.

The tests of a file run one after the other in one process, since they share its fixtures. So do the tests of a folder
in `SHARED`, whose fixtures exist once per session. A test that measures time, or that uses up something of the whole
machine, has the marker `exclusive`: `make test` runs these alone, after all others.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling, Scheduling

SHARED = {
    "tests/escape": "one host that attacks are made on, with the machine's port 80",
    "tests/local_user": "one daemon with its default configuration",
}
"""Folders whose tests run in one process, and what they share. Each process has its own worker for `tests/tenants`."""

LONG = ("tests/escape/", "tests/local_user/", "tests/chaos/", "tests/tenants/", "tests/e2e/", "tests/daemon/")
"""Folders that take minutes. They begin first: a process that took one last would run on alone."""


def group_of(nodeid: str) -> str:
    """The tests with the same group run in one process, one after the other."""
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in SHARED else file


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process one group after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Replaces what `--dist` names: its groups by marker do not work with pytest 9.2 (xdist sets `Item._nodeid`)."""
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under xdist the long folders come first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in LONG])

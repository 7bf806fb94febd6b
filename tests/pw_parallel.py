"""What runs side by side under pytest-xdist (`make test`), and in which order the processes take it.

The tests of a file run one after the other in one process, since they share its fixtures. So do the tests of a folder
in `SHARED`, whose fixtures exist once per session. The tests in `APART` share nothing, so any process may take each.

A test of the folders in `LONG` starts browsers, which keep both cores busy. Most other tests wait for something. So the
second of each two processes begins with the rest, and the others with the long ones. The one that ends first goes on
with what is left.

A test that fails beside others, since it measures time or uses up something of the whole machine, has the marker
`exclusive`: `make test` runs these alone, after all others. It finds their files by the text `mark.exclusive`, and
collects no others.
"""

from functools import cached_property
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling, Scheduling

SHARED = {
    "tests/escape": "one host that attacks are made on, with the machine's port 80",
    "tests/local_user": "one daemon with its default configuration",
}
"""Folders whose tests run in one process, and what they share. Each process has its own worker for `tests/tenants`."""

APART = ("tests/chaos/", "tests/e2e/", "tests/daemon/", "tests/demo/test_run.py")
"""Each of these tests starts all that it needs, and takes up to a minute."""

TOGETHER = ("tests/e2e/test_unreachable_hosts.py",)
"""Files in folders of `APART` whose tests share a worker."""

LONG = (
    "tests/escape/",
    "tests/tenants/",
    "tests/chaos/",
    "tests/e2e/",
    "tests/demo/",
    "tests/daemon/",
    "tests/local_user/",
    "tests/config_fleet/",
)
"""Folders that take minutes, those with the longest groups first: what is taken last should be short."""


def group_of(nodeid: str) -> str:
    """The tests with the same group run in one process, one after the other."""
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    if file.startswith(APART) and file not in TOGETHER:
        return nodeid
    return folder if folder in SHARED else file


def takes_last(process: int, last: str) -> bool:
    """Whether the process with this number takes the group `last` from the end of the queue, not the first one."""
    return process % 2 == 1 and not last.startswith(LONG)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a process one group after the other. All processes collect the same tests: `schedule` verifies it."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Of each test in the collection. xdist searches the whole collection for each test."""
        return {nodeid: position for position, nodeid in enumerate(self.collection)}

    def _assign_work_unit(self, node: Any) -> None:
        group, tests = self.workqueue.popitem(last=takes_last(self.nodes.index(node), next(reversed(self.workqueue))))
        self.assigned_work[node][group] = tests
        node.send_runtest_some([self._positions[nodeid] for nodeid, complete in tests.items() if not complete])

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forgets a group that is complete: xdist counts all groups of the process after each test."""
        group = group_of(self.registered_collections[node][item_index])
        super().mark_test_complete(node, item_index, duration)
        if all(self.assigned_work[node][group].values()):
            del self.assigned_work[node][group]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Replaces what `--dist` names: its groups by marker do not work with pytest 9.2 (xdist sets `Item._nodeid`)."""
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under xdist the long folders come first, in the order of `LONG`. Raises UsageError for a hidden marker."""
    for file in {item.path for item in items if item.get_closest_marker("exclusive")}:
        if "mark.exclusive" not in file.read_text():
            raise pytest.UsageError(f"{file}: `make test` finds exclusive tests by the text `mark.exclusive`")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in LONG])

"""What may run side by side under pytest-xdist (`make test`), and in which order the workers take it.

The tests of a file run one after the other in one worker, since they share its fixtures. So do the tests of a folder in
`SHARED`, whose fixtures are made once per session. A test that measures time, or that uses up something of the whole
machine, has the marker `exclusive`: `make test` runs it alone, after all others.
"""

import pytest

SHARED = {
    "tests/escape": "one host that attacks are made on, with the machine's port 80",
    "tests/local_user": "one daemon with its default configuration",
    "tests/tenants": "one worker for all tenants",
}
"""Folders whose tests share one session fixture that takes seconds to make, and that fixture."""


def group_of(item: pytest.Item) -> str:
    """The tests that share this name run in one worker, one after the other."""
    file = item.nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in SHARED else file


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test its group. The large groups begin first: a worker that takes one last would run on alone."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: group_of(item) not in SHARED)

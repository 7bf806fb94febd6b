"""Attack hosts, one per way of starting the worker. Each gets the runs of all selected tests at once."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from pw_escape import places
from pw_escape.attack import StartedBy
from pw_escape.client import AttackHost
from pw_escape.runs import AttackRun


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "profile"


Hosts = dict[StartedBy, AttackHost]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Brings the runs in the same sandbox together, whatever they prove. Each sandbox is then started once."""
    found = [(number, item, run) for number, item in enumerate(items) if (run := _run_of(item)) is not None]
    ordered = sorted(found, key=lambda one: repr(one[2].order))
    for (number, *_), (_, item, _) in zip(found, ordered, strict=True):
        items[number] = item


def _run_of(item: pytest.Item) -> AttackRun | None:
    """The run that a test judges."""
    run = item.callspec.params.get("run") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    return run if isinstance(run, AttackRun) else None


@pytest.fixture(scope="session")
def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Running attack hosts, which work through the runs in the order of the tests."""
    wanted = [run for run in map(_run_of, request.session.items) if run is not None]
    with ExitStack() as stack:
        running = {}
        for mode in StartedBy:
            if any(run.mode is mode for run in wanted) and places.possible(mode):
                folder = tmp_path_factory.mktemp(f"as-{mode.value}")
                folder.chmod(0o755)
                running[mode] = stack.enter_context(closing(AttackHost(mode, folder, wanted)))
        yield running

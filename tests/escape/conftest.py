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


@pytest.fixture(scope="session")
def hosts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Running attack hosts, which work through the runs in the order of the tests."""
    params = (item.callspec.params.get("run") for item in request.session.items if hasattr(item, "callspec"))
    wanted = [param for param in params if isinstance(param, AttackRun)]
    with ExitStack() as stack:
        running = {}
        for mode in StartedBy:
            if any(run.mode is mode for run in wanted) and places.possible(mode):
                folder = tmp_path_factory.mktemp(f"as-{mode.value}")
                folder.chmod(0o755)
                running[mode] = stack.enter_context(closing(AttackHost(mode, folder, wanted)))
        yield running

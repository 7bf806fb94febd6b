"""What modules reported of a login does not hold for other data: `workerctl profile` forgets it with each change."""

import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue, Told
from pw_profiles import SnapshotWorker
from pw_queue import QueueHarness

from pageworker_profiles import ProfileStore
from pageworker_supervisor.contract.profile_login import LoginEvent


async def reported(harness: QueueHarness) -> None:
    """Modules wait for a person to log in to both profiles."""
    for profile_id in ("Main", "p"):
        await harness.queue.profile_logins.report("acme", profile_id, LoginEvent.NEEDS_HUMAN)


def login(told: Told, profile: str) -> object:
    code, answer = told(f"show {profile}")
    assert (code, answer["login"]["state"]) == (0, answer["profile"]["login"])
    return answer["login"]["state"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A file of Playwright."""
    file = tmp_path / "state.json"
    cookie = {"name": "user", "value": "anna", "domain": "shop.test", "path": "/"}
    file.write_text(json.dumps({"cookies": [cookie], "origins": []}))
    return file


def test_on_this_host(told: Told, local: ProfileStore, on_queue: OnQueue, tmp_path: Path, state: Path) -> None:
    file = tmp_path / "main.tar"
    assert told(f"export acme/Main {file}")[0] == 0
    aside = told("quarantine acme/Main")[1]["snapshot"]
    for line in (
        "quarantine acme/Main",
        f"restore acme/Main {aside}",
        "reset acme/Main",
        f"import acme/Main {file}",
        f"import acme/Main --storage-state {state}",
    ):
        on_queue(reported)
        assert told(line)[0] == 0, line
        assert login(told, "acme/Main") == "unknown", line


def test_in_a_store(told: Told, stored: SnapshotWorker, on_queue: OnQueue) -> None:
    on_queue(reported)
    newest = told("quarantine acme/p")[1]["snapshot"]
    assert login(told, "acme/p") == "unknown"
    on_queue(reported)
    assert told(f"restore acme/p {newest}")[0] == 0
    assert login(told, "acme/p") == "unknown"


def test_a_command_that_changes_nothing_forgets_nothing(
    told: Told, local: ProfileStore, on_queue: OnQueue, tmp_path: Path
) -> None:
    on_queue(reported)
    assert told("restore acme/Main none")[0] == 1
    assert told(f"export acme/Main {tmp_path / 'main.tar'}")[0] == 0
    assert told(f"import acme/Main --storage-state {tmp_path / 'main.tar'}")[0] == 1
    assert login(told, "acme/Main") == "needs_human"

"""`workerctl profile export|import --storage-state` on a real Redis: on this host, and in a snapshot store."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import LATER, OnQueue, Told
from pw_profiles import Homes, SnapshotWorker
from pw_queue import QueueHarness, ticket

from pageworker_profiles import ProfileFolders, ProfileStore, homes
from pageworker_supervisor.cli.app import run

STATE = {"cookies": [{"name": "user", "value": "anna", "domain": "shop.test", "path": "/"}], "origins": []}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A file of Playwright."""
    (tmp_path / "state.json").write_text(json.dumps(STATE, indent=2))
    return tmp_path / "state.json"


def found(root: Path, profile_id: str) -> object:
    """What a worker of this host would give to the next browser."""

    async def open_it() -> object:
        with closing(await ProfileFolders(root).open("acme", profile_id, LATER, None)) as lease:
            return None if lease.checkpoint is None else json.loads(lease.checkpoint.untrusted_data)

    return asyncio.run(open_it())


def test_a_login_of_a_laptop_begins_a_profile(told: Told, on_queue: OnQueue, state: Path, tmp_path: Path) -> None:
    code, answer = told(f"import acme/new --storage-state {state} --reason laptop")
    assert (code, answer["change"], answer["file"]) == (0, "imported", str(state))
    assert found(tmp_path / "profiles", "new") == STATE

    async def lives_here(harness: QueueHarness) -> None:
        (known,) = await harness.queue.profile_locks.read("acme", ["new"])
        assert known.store == homes.store_id(tmp_path / "profiles")

    on_queue(lives_here)


def test_a_login_is_added_to_a_profile_and_goes_with_its_data(told: Told, local: ProfileStore, state: Path) -> None:
    assert told("show acme/Main")[1]["checkpoint"] is None
    assert told(f"import acme/Main --storage-state {state}")[0] == 0
    kept = told("show acme/Main")[1]["checkpoint"]
    assert (kept["bytes"], kept["at"][:2]) == ((local.folder("acme", "Main") / "checkpoint").stat().st_size, "20")
    with local.open("acme", "Main", LATER, None) as lease:
        assert (lease.path / "Cookies").exists(), "all other data stays"
    assert found(local.root, "Main") == STATE
    aside = told("reset acme/Main")[1]["snapshot"]
    assert found(local.root, "Main") is None
    assert told(f"import acme/Main --storage-state {state}")[0] == 0
    assert told(f"restore acme/Main {aside}")[0] == 0
    assert found(local.root, "Main") is None, "it belongs to the data that was replaced"


def test_an_open_profile_gives_its_checkpoint_and_takes_none(
    told: Told, local: ProfileStore, on_queue: OnQueue, state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    code, complaint = told(f"export acme/Main --storage-state {out}")
    assert (code, "closed normally" in complaint, out.exists()) == (1, True, False)
    assert told(f"import acme/Main --storage-state {state}")[0] == 0

    async def opened(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("1", profile_id="Main")])
        await harness.one()

    on_queue(opened)
    assert told(f"export acme/Main --storage-state {out}")[0] == 0
    assert (json.loads(out.read_text()), out.stat().st_mode & 0o777) == (STATE, 0o600)
    assert told(f"export acme/Main --storage-state {out}")[0] == 4, "it exists"
    assert told(f"import acme/Main --storage-state {state}")[0] == 4


def test_the_reason_why_there_is_no_checkpoint(
    told: Told, local: ProfileStore, on_queue: OnQueue, tmp_path: Path
) -> None:
    line = f"--storage-state {tmp_path / 'out.json'}"
    assert "acme/never is not in" in told(f"export acme/never {line}")[1]

    async def opened(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("1", profile_id="Main")])
        await harness.one()

    on_queue(opened)
    code, complaint = told(f"export acme/Main {line}")
    assert code == 1
    assert "acme/Main is open on " in complaint
    assert "closed normally" not in complaint


def test_an_export_without_the_checkpoint_of_a_killed_browser_says_so(
    told: Told, local: ProfileStore, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["profile", "export", "acme/other", str(tmp_path / "other.tar")]) == 0
    assert "checkpoint" not in capsys.readouterr().err
    assert told(f"import acme/Main --storage-state {state}")[0] == 0
    assert run(["profile", "export", "acme/Main", str(tmp_path / "main.tar")]) == 0
    assert "`workerctl profile export acme/Main --storage-state FILE` writes it" in capsys.readouterr().err


def test_in_a_store_the_next_browser_gets_it_on_top_of_the_snapshot(
    told: Told, stored: SnapshotWorker, record: Homes, state: Path, tmp_path: Path
) -> None:
    for profile_id, data in (("p", True), ("new", False)):
        assert told(f"import acme/{profile_id} --storage-state {state}")[0] == 0
        assert told(f"show acme/{profile_id}")[1]["checkpoint"]["bytes"] > 0
        out = tmp_path / f"{profile_id}.json"
        assert told(f"export acme/{profile_id} --storage-state {out}")[0] == 0
        with closing(asyncio.run(stored.open(LATER, profile_id))) as lease:
            assert lease.checkpoint is not None
            assert json.loads(lease.checkpoint.untrusted_data) == json.loads(out.read_text()) == STATE
            assert (lease.path / "Default/Preferences").exists() is data


@pytest.mark.parametrize("line", ["main.tar --storage-state state.json", "", "--storage-state s.json --from acme/a"])
def test_one_file_is_named(told: Told, line: str) -> None:
    assert told(f"import acme/Main {line}")[0] == 2


def test_a_file_that_is_no_state_changes_nothing(told: Told, local: ProfileStore, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    assert told(f"import acme/Main --storage-state {tmp_path / 'state.json'}")[0] == 1
    assert told(f"import acme/Main --storage-state {tmp_path / 'none.json'}")[0] == 1
    assert found(local.root, "Main") is None

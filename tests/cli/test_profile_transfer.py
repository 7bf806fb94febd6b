"""`workerctl profile reset|export|import` on a real Redis: in the data folder of this host, and in a snapshot store."""

import asyncio
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import LATER, OnQueue, Told
from pw_profiles import Homes, SnapshotWorker
from pw_queue import QueueHarness

from pageworker_profiles import ProfileStore, homes, opening_marker

MIB = 1024 * 1024


def cookies(store: ProfileStore, profile_id: str) -> str:
    """What the browser finds."""
    with store.open("acme", profile_id, LATER, None) as lease:
        file = lease.path / "Cookies"
        return file.read_text() if file.exists() else ""


def claimed(on_queue: OnQueue, profile_id: str, store: str) -> None:
    """Redis has the profile on record in this store."""

    async def claim(harness: QueueHarness) -> None:
        await harness.queue.profile_stores.claim("acme", profile_id, store, "host-2")

    on_queue(claim)


def test_a_profile_moves_from_host_to_host(
    told: Told, local: ProfileStore, on_queue: OnQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "main.tar"
    code, answer = told(f"export acme/Main {file} --reason moves")
    assert (code, answer["change"], answer["file"]) == (0, "exported", str(file))
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "other"))
    assert told(f"import acme/Main {file}")[0] == 0
    there = ProfileStore(tmp_path / "other/profiles")
    assert cookies(there, "Main") == "x" * 5000

    async def lives_there(harness: QueueHarness) -> None:
        (known,) = await harness.queue.profile_locks.read("acme", ["Main"])
        assert (known.store, known.worker) == (homes.store_id(there.root), "")

    on_queue(lives_there)


def test_an_import_keeps_what_it_replaces(told: Told, local: ProfileStore, tmp_path: Path) -> None:
    file = tmp_path / "main.tar"
    assert told(f"export acme/Main {file}")[0] == 0
    with local.open("acme", "Main", 2, None) as lease:
        (lease.path / "Cookies").write_text("newer")
    aside = told(f"import acme/Main {file} --reason back")[1]["snapshot"]
    assert cookies(local, "Main") == "x" * 5000
    assert told("show acme/Main")[1]["aside"] == [{"name": aside, "reason": "back"}]
    kept = tmp_path / "kept.tar"
    assert told(f"export acme/Main {kept} --snapshot {aside}")[0] == 0
    assert told(f"import acme/copy {kept} --from acme/Main")[0] == 0
    assert cookies(local, "copy") == "newer"


def test_what_must_not_be_imported_changes_nothing(told: Told, local: ProfileStore, tmp_path: Path) -> None:
    file, cut = tmp_path / "main.tar", tmp_path / "cut.tar"
    assert told(f"export acme/Main {file}")[0] == 0
    code, complaint = told(f"import acme/other {file}")
    assert code == 4
    assert "--from acme/Main" in complaint
    cut.write_bytes(file.read_bytes()[:-512])
    assert "changed or cut" in told(f"import acme/Main {cut}")[1]
    assert told(f"import acme/Main {tmp_path / 'none'}")[0] == 1
    with closing(local.hold("acme", "Main", None, None)):
        assert told(f"import acme/Main {file}")[0] == 4
    assert told("show acme/Main")[1]["aside"] == []


def test_an_import_that_is_too_large_leaves_no_trace(
    told: Told, local: ProfileStore, on_queue: OnQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with local.open("acme", "Main", 2, None) as lease:
        (lease.path / "large").touch()
        os.truncate(lease.path / "large", 17 * MIB)
    file = tmp_path / "main.tar"
    assert told(f"export acme/Main {file}")[0] == 0
    monkeypatch.setenv("PAGEWORKER_PROFILES__MAX_BYTES", str(16 * MIB))
    code, complaint = told(f"import acme/new {file} --from acme/Main")
    assert code == 1
    assert "raise profiles.max_bytes" in complaint
    assert sorted(path.name for path in local.folder("acme", "new").iterdir()) == ["data", "lock"]
    assert "raise profiles.max_bytes" in told(f"export acme/Main {tmp_path / 'again.tar'}")[1]

    async def is_free(harness: QueueHarness) -> None:
        (known,) = await harness.queue.profile_locks.read("acme", ["new"])
        assert known.store == ""

    on_queue(is_free)


def test_an_import_does_not_take_a_profile_of_another_store(
    told: Told, local: ProfileStore, on_queue: OnQueue, tmp_path: Path
) -> None:
    file = tmp_path / "main.tar"
    assert told(f"export acme/Main {file}")[0] == 0
    claimed(on_queue, "Main", "two")
    for line in (f"import acme/Main {file}", f"export acme/Main {tmp_path / 'b.tar'}", "reset acme/Main"):
        code, complaint = told(line)
        assert (code, "host host-2" in complaint) == (4, True)


def test_no_file_is_overwritten(told: Told, local: ProfileStore, tmp_path: Path) -> None:
    file = tmp_path / "main.tar"
    file.write_text("mine")
    assert told(f"export acme/Main {file}")[0] == 4
    assert told(f"export acme/Main {tmp_path / 'none/main.tar'}")[0] == 1
    assert told(f"export acme/none {tmp_path / 'none.tar'}")[0] == 1
    assert told(f"export acme/Main {tmp_path / 'none.tar'} --snapshot ../data")[0] == 1
    assert file.read_text() == "mine"
    assert not (tmp_path / "none.tar").exists()


def test_a_reset_profile_is_empty_and_its_data_is_kept(told: Told, local: ProfileStore) -> None:
    code, answer = told("reset acme/Main --reason sold")
    assert (code, answer["change"]) == (0, "reset")
    assert cookies(local, "Main") == ""
    assert told("show acme/Main")[1]["aside"] == [{"name": answer["snapshot"], "reason": "sold"}]
    assert told("reset acme/none")[0] == 1


def test_a_profile_moves_from_store_to_store(told: Told, stored: SnapshotWorker, record: Homes, tmp_path: Path) -> None:
    file, oldest = tmp_path / "p.tar", tmp_path / "oldest.tar"
    assert told(f"export acme/p {file}")[0] == 0
    first = told("show acme/p")[1]["snapshots"][-1]["id"]
    assert told(f"export acme/p {oldest} --snapshot {first}")[0] == 0
    assert told(f"export acme/p {tmp_path / 'none.tar'} --snapshot 7")[0] == 1
    assert told("delete acme/p")[0] == 0
    shutil.rmtree(stored.root)
    record.stores.clear()
    code, answer = told(f"import acme/p {file}")
    assert code == 0
    (snapshot,) = told("show acme/p")[1]["snapshots"]
    assert (snapshot["id"], snapshot["browser_version"]) == (answer["snapshot"], "150.0.1.2")
    assert asyncio.run(stored.visit(LATER)) == "three"
    assert told(f"import acme/p {oldest}")[0] == 4, "the worker's lease is newer"


def test_an_import_into_the_store_is_the_newest_snapshot(told: Told, stored: SnapshotWorker, tmp_path: Path) -> None:
    file = tmp_path / "p.tar"
    first = told("show acme/p")[1]["snapshots"][-1]["id"]
    assert told(f"export acme/p {file} --snapshot {first}")[0] == 0
    assert told(f"import acme/p {file}")[0] == 0
    snapshots = told("show acme/p")[1]["snapshots"]
    assert [bool(one["bad"]) for one in snapshots] == [False] * 3
    assert asyncio.run(stored.visit(LATER)) == "one"


def test_a_profile_that_is_reset_in_the_store_is_empty(told: Told, stored: SnapshotWorker) -> None:
    before = told("show acme/p")[1]["snapshots"][0]["id"]
    code, answer = told("reset acme/p --reason sold")
    assert code == 0
    snapshots = told("show acme/p")[1]["snapshots"]
    assert snapshots[0]["id"] == answer["snapshot"]
    assert [one["bad"] for one in snapshots] == [None, "sold", "sold", "sold"]
    assert told("reset acme/none")[0] == 1
    lease = asyncio.run(stored.open(LATER))
    with closing(lease):
        assert [path.name for path in lease.path.iterdir()] == [opening_marker.FILE]
    assert told(f"restore acme/p {before}")[0] == 4, "the worker's lease is newer"


def test_without_the_key_nothing_is_changed(told: Told, stored: SnapshotWorker, tmp_path: Path) -> None:
    (tmp_path / "secrets/_fleet/profile_key").unlink()
    for line in (f"export acme/p {tmp_path / 'p.tar'}", "reset acme/p"):
        code, complaint = told(line)
        assert (code, "profile_key" in complaint) == (1, True), complaint
    assert [one["bad"] for one in told("show acme/p")[1]["snapshots"]] == [None] * 3
    assert not (tmp_path / "p.tar").exists()

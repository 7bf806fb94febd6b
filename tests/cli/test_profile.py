"""`workerctl profile` on a real Redis: in the data folder of this host, and in a snapshot store."""

import asyncio
import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import LATER, OnQueue, Told
from pw_profiles import Homes, SnapshotWorker, put
from pw_queue import QueueHarness, ticket

from pageworker_profiles import ProfileStore, homes
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.contract.profile_login import LoginEvent
from pageworker_supervisor.queue.wakeup import AskNotice


async def opened(harness: QueueHarness) -> None:
    """Worker w1 has the profiles acme/Main and acme/p open."""
    await harness.producer.enqueue([ticket("1", profile_id="Main"), ticket("2", profile_id="p")])
    assert len(await harness.take()) == 2


def test_a_list_of_this_host(told: Told, local: ProfileStore, on_queue: OnQueue) -> None:
    on_queue(opened)
    code, rows = told("list")
    assert (code, [row["profile_id"] for row in rows]) == (0, ["Main", "other"])
    assert [row["locked_by"] for row in rows] == ["w1", None]
    assert all(row["place"] == "host" and row["bytes"] >= 5000 and row["used_at"] for row in rows)
    assert told("list --tenant else") == (0, [])
    assert told("list --tenant A/b")[0] == 2


def test_without_any_profile_nothing_is_made(told: Told, tmp_path: Path) -> None:
    assert told("list") == (0, [])
    assert told("show acme/Main")[0] == 1
    assert told("delete acme/Main")[0] == 1
    assert not (tmp_path / "profiles").exists()


def test_show_names_what_is_in_quarantine(told: Told, local: ProfileStore) -> None:
    with local.open("acme", "Main", 2, None) as lease:
        aside = local.quarantine(lease, "a link")
    code, answer = told("show acme/Main")
    assert (code, answer["aside"]) == (0, [{"name": aside.name, "reason": "a link"}])
    assert answer["where"] == str(local.folder("acme", "Main"))


def test_list_and_show_say_whether_a_profile_is_logged_in(told: Told, local: ProfileStore, on_queue: OnQueue) -> None:
    async def report(harness: QueueHarness) -> None:
        evidence = {"text": "code sent"}
        await harness.queue.profile_logins.report("acme", "Main", LoginEvent.NEEDS_HUMAN, evidence=evidence)

    on_queue(report)
    code, rows = told("list")
    assert (code, [row["login"] for row in rows]) == (0, ["needs_human", "unknown"])
    code, answer = told("show acme/Main")
    assert (code, answer["login"]["state"], answer["profile"]["login"]) == (0, "needs_human", "needs_human")
    assert answer["login"]["evidence"] == {"text": "code sent"}


def test_a_deleted_profile_leaves_nothing_and_may_begin_anywhere(
    told: Told, local: ProfileStore, on_queue: OnQueue
) -> None:
    async def claim(harness: QueueHarness) -> None:
        await harness.queue.profile_stores.claim("acme", "Main", homes.store_id(local.root), "host-1")

    async def begins_elsewhere(harness: QueueHarness) -> None:
        assert (await harness.queue.profile_stores.claim("acme", "Main", "two", "host-2")).store == "two"
        (known,) = await harness.queue.profile_locks.read("acme", ["Main"])
        assert known.worker == "", "the command's lock is released"

    on_queue(claim)
    code, answer = told("delete acme/Main --reason bye")
    assert (code, answer["change"]) == (0, "deleted")
    assert local.list("acme") == ("other",)
    assert local.trash() == ()
    on_queue(begins_elsewhere)


def test_an_open_profile_is_not_deleted(told: Told, local: ProfileStore, on_queue: OnQueue) -> None:
    with closing(local.hold("acme", "other", None, None)):
        code, complaint = told("delete acme/other")
    assert code == 4
    assert "is held by pid" in complaint
    on_queue(opened)
    code, complaint = told("delete acme/Main")
    assert code == 4
    assert "the profile is open: w1 holds it" in complaint
    assert local.list("acme") == ("Main", "other")


def test_a_command_waits_until_the_profile_is_closed(told: Told, local: ProfileStore, on_queue: OnQueue) -> None:
    async def lets_go(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("1", profile_id="Main")])
        lease = await harness.one()
        await harness.finish([lease])
        fence = lease.profile_fence or 0
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(asyncio.to_thread(told, "delete acme/Main --wait 20"))
            woken = await harness.consumer.wait("w1", 20)
            assert AskNotice("acme", "Main", fence) in woken.control, "the command asks for it"
            await harness.consumer.release_profile("w1", "acme", "Main", fence)
        assert waiting.result()[0] == 0

    on_queue(lets_go)
    assert local.list("acme") == ("other",)


def test_a_profile_that_stays_open_ends_the_wait(told: Told, local: ProfileStore, on_queue: OnQueue) -> None:
    with closing(local.hold("acme", "other", None, None)):
        assert told("quarantine acme/other --wait 0.3")[0] == 5
    on_queue(opened)
    code, complaint = told("quarantine acme/Main --wait 0.3")
    assert code == 5
    assert "after 0.3 s" in complaint
    assert "w1 holds it" in complaint


def test_a_profile_in_the_store_of_another_host_is_refused(told: Told, on_queue: OnQueue) -> None:
    async def claim(harness: QueueHarness) -> None:
        await harness.queue.profile_stores.claim("acme", "Main", "two", "host-2")

    on_queue(claim)
    code, complaint = told("delete acme/Main")
    assert code == 4
    assert "store two of host host-2" in complaint
    assert "host host-2" in told("show acme/Main")[1]
    assert told("delete acme/Main --only-record")[0] == 0
    assert told("delete acme/Main")[0] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_refused(told: Told, local: ProfileStore) -> None:
    os.chown(local.root, 65534, -1)
    for line in ("list", "show acme/Main", "delete acme/Main"):
        code, complaint = told(line)
        assert (code, "as the user of the worker: setpriv --reuid 65534 --regid " in complaint) == (4, True)
    assert local.list("acme") == ("Main", "other")


def test_what_was_done_is_in_the_audit_log(told: Told, local: ProfileStore, capsys: pytest.CaptureFixture[str]) -> None:
    told("delete acme/other --reason bye")
    capsys.readouterr()
    assert run(["audit", "list", "--json"]) == 0
    lines = [line["record"] for line in json.loads(capsys.readouterr().out)]
    assert {(line["action"], line["target"]) for line in lines} == {("profile.delete", "acme/other")}
    assert {"requested", "done"} == {line["outcome"] for line in lines}


def test_profiles_in_a_snapshot_store(told: Told, stored: SnapshotWorker, on_queue: OnQueue) -> None:
    on_queue(opened)
    code, (row,) = told("list")
    assert (code, row["profile_id"], row["place"], row["browser_version"]) == (0, "p", "store", "150.0.1.2")
    assert (row["state"], row["locked_by"]) == ("open", "w1")
    _, answer = told("show acme/p")
    assert len(answer["snapshots"]) == 3
    assert row["bytes"] == sum(snapshot["bytes"] for snapshot in answer["snapshots"])
    assert told("delete acme/p")[0] == 4


def test_a_profile_that_is_deleted_from_the_store_begins_anew(
    told: Told, stored: SnapshotWorker, record: Homes, tmp_path: Path
) -> None:
    assert told("delete acme/p")[0] == 0
    assert told("list") == (0, [])
    assert not list((tmp_path / "store/acme/p").glob("*.snapshot"))
    record.stores.clear()
    assert asyncio.run(stored.visit(4)) == "", "the local copy does not come back"


def test_a_store_that_is_away(told: Told, stored: SnapshotWorker, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "gone")
    for line in ("list", "show acme/p", "delete acme/p"):
        code, complaint = told(line)
        assert (code, "mount it" in complaint) == (3, True), complaint


def test_a_restored_snapshot_is_the_next_one(told: Told, stored: SnapshotWorker) -> None:
    oldest = told("show acme/p")[1]["snapshots"][-1]["id"]
    code, answer = told(f"restore acme/p {oldest} --reason logout")
    assert (code, answer["change"], answer["snapshot"]) == (0, "restored", oldest)
    assert asyncio.run(stored.visit(LATER)) == "one"
    assert told("restore acme/p 7")[0] == 1


def test_the_newest_snapshot_is_withdrawn_and_can_be_had_back(told: Told, stored: SnapshotWorker) -> None:
    newest = told("show acme/p")[1]["snapshots"][0]["id"]
    assert told("quarantine acme/p --reason logout")[1]["snapshot"] == newest
    assert told("show acme/p")[1]["snapshots"][0]["bad"] == "logout"
    codes = [told("quarantine acme/p")[0] for _ in range(3)]
    assert codes == [0, 0, 1], "no good one is left"
    assert told(f"restore acme/p {newest}")[0] == 0
    assert asyncio.run(stored.visit(LATER)) == "three"


def test_a_lease_from_before_the_change_publishes_nothing(told: Told, stored: SnapshotWorker) -> None:
    lease = asyncio.run(stored.open(4))
    assert told("quarantine acme/p")[0] == 0
    put(lease.path, "late")
    asyncio.run(stored.close(lease, 4))
    assert "publish StaleFence" in stored.failed
    assert asyncio.run(stored.visit(LATER)) == "two"


def test_on_this_host_quarantine_begins_an_empty_profile(told: Told, local: ProfileStore) -> None:
    code, answer = told("quarantine acme/Main --reason blocked")
    assert (code, answer["change"]) == (0, "quarantined")
    assert [row["reason"] for row in told("show acme/Main")[1]["aside"]] == ["blocked"]
    assert list((local.folder("acme", "Main") / "data").iterdir()) == []
    assert told("quarantine acme/none")[0] == 1
    with closing(local.hold("acme", "other", None, None)):
        assert told("quarantine acme/other")[0] == 4


def test_on_this_host_data_comes_back_from_quarantine(told: Told, local: ProfileStore) -> None:
    aside = told("quarantine acme/Main --reason blocked")[1]["snapshot"]
    with local.open("acme", "Main", LATER, None) as lease:
        (lease.path / "Cookies").write_text("new")
    assert told(f"restore acme/Main {aside} --reason unblocked")[0] == 0
    with local.open("acme", "Main", LATER, None) as lease:
        assert (lease.path / "Cookies").read_text() == "x" * 5000
    (row,) = told("show acme/Main")[1]["aside"]
    assert row["reason"] == "unblocked"
    assert told(f"restore acme/Main {row['name']}")[0] == 0
    with local.open("acme", "Main", LATER, None) as lease:
        assert (lease.path / "Cookies").read_text() == "new"
        assert told(f"restore acme/Main {aside}")[0] == 4, "it is open"
    for name in ("1", "..", f"{aside}/data"):
        assert told(f"restore acme/Main {name}")[0] == 1
    assert told("restore acme/none 1")[0] == 1

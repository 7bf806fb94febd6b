"""`workerctl profile unlock` on a real Redis."""

import os
import socket
from pathlib import Path

import pytest
from cli.commands import valid_json
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket

from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.profile_unlock import has_ended
from pageworker_supervisor.worker_identity import FILE


@pytest.fixture
def locked(on_queue: OnQueue) -> OnQueue:
    """Worker w1 has acme/p open, and one more job of it waits."""

    async def claim(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("1", profile_id="p"), ticket("2", profile_id="p")])
        await harness.one()

    on_queue(claim)
    return on_queue


def listening(data_dir: Path, holder: str) -> socket.socket:
    """The control socket of a worker of this name, as long as it is open."""
    data_dir.mkdir(exist_ok=True)
    (data_dir / "incarnation").write_text(f"{holder}\n")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(control_path(data_dir)))
    listener.listen()
    return listener


async def is_free(harness: QueueHarness) -> None:
    """Another worker gets the job that waits."""
    assert [lease.job_id for lease in await harness.take("w2")] == ["2"]


def test_a_worker_that_may_live_keeps_its_lock(locked: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile", "unlock", "acme/p"]) == 4
    assert "w1 holds it" in capsys.readouterr().err
    assert run(["profile", "unlock", "acme/p", "--force"]) == 2, "without a reason"
    assert run(["profile", "unlock", "acme/none"]) == 1


def test_force_releases_any_lock(locked: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile", "unlock", "acme/p", "--force", "--reason", "host burnt", "--json"]) == 0
    assert valid_json("profile unlock", capsys.readouterr().out)["change"] == "unlocked"
    locked(is_free)


def test_the_lock_of_the_worker_of_this_host_is_released_once_its_process_has_ended(
    locked: OnQueue, tmp_path: Path
) -> None:
    with listening(tmp_path, "w1"):
        assert run(["profile", "unlock", "acme/p"]) == 4
    assert run(["profile", "unlock", "acme/p"]) == 0
    locked(is_free)


def test_a_lock_that_has_run_out_is_released(locked: OnQueue) -> None:
    async def late(harness: QueueHarness) -> None:
        await harness.client.zadd("pw:{0}:profile_locks", {"acme/p": 1})

    locked(late)
    assert run(["profile", "unlock", "acme/p"]) == 0
    locked(is_free)


def test_only_the_last_worker_of_the_folder_counts_as_ended(tmp_path: Path) -> None:
    assert not has_ended(tmp_path / "none", "w1")
    listening(tmp_path, "w1").close()
    assert has_ended(tmp_path, "w1")
    assert not has_ended(tmp_path, "w2")
    (tmp_path / FILE).unlink()
    os.mkfifo(tmp_path / FILE)
    assert not has_ended(tmp_path, "w1"), "a pipe of the worker's user is not waited for"

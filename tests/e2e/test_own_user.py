"""A worker with a user of its own and the capabilities of the table, and what none of its children has."""

import json
from pathlib import Path

import pytest
from pw_daemon.processes import below
from pw_local_user import LocalUserHost, default_daemon
from pw_rights import SKIP_REASON, USER, as_user, can_run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.skipif(not can_run(), reason=SKIP_REASON),
]

PROGRAMS = {
    "gateway": "pageworker_sandbox.egress",
    "dialer": "pageworker_sandbox.dialer",
    "runner": "pageworker_runner",
    "redis": "redis-server",
}
SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
ANOTHER_RANGE = 2_100_000_000


def status_of(pid: int) -> dict[str, list[str]]:
    lines = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.split() for name, value in lines}


def users_of(host: LocalUserHost) -> dict[str, set[int]]:
    """User ids by program. The browser's processes are the runner's."""
    commands = below(host.daemon.pid)
    return {
        name: {int(status_of(pid)["Uid"][1]) for pid, command in commands.items() if part in command}
        for name, part in PROGRAMS.items()
    }


def test_its_sandboxes_have_users_of_their_own_and_nothing_has_a_capability() -> None:
    with default_daemon(prefix=as_user(), user=USER) as host:
        report = json.loads(host.workerctl("status", "--json").stdout)
        assert report["rights"] == {"uid": USER, "capabilities": [], "own_user_ids": True}
        for pid, command in {host.daemon.pid: "daemon", **below(host.daemon.pid)}.items():
            # Chromium's own sandbox is a user namespace, in which its zygote has capabilities.
            if "chromium" not in command:
                assert {status_of(pid)[name][0] for name in SETS} == {"0" * 16}, command
        users = users_of(host)
        assert [len(found) for found in users.values()] == [1, 1, 1, 1], users
        assert len(set.union({USER}, *users.values())) == 5, users
        data = host.data_dir / "profiles" / "acme" / "p1" / "data"
        assert {data.stat().st_uid} == users["runner"]
        assert {path.stat().st_uid for path in host.data_dir.glob("audit.*")} == {USER}

        assert host.daemon.terminate() == 0
        config = host.daemon.config
        config.write_text(f"{config.read_text()}\n[sandbox]\nfirst_uid = {ANOTHER_RANGE}\n")
        host.daemon.start()
        words = ("--tenant", "acme", "--job-id", "again", "--profile", "p1", "--payload", '{"ms": 1}')
        done = host.workerctl("submit", "test.nap", *words, "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ANOTHER_RANGE < data.stat().st_uid < ANOTHER_RANGE + 500


def test_with_a_part_of_the_capabilities_it_does_not_start() -> None:
    with (
        pytest.raises(AssertionError, match="lacks CAP_SETGID"),
        default_daemon(prefix=as_user(capabilities=["CAP_SETUID"]), user=USER),
    ):
        pass


def test_root_that_no_other_user_can_stand_in_for_keeps_its_id_and_no_capability(tmp_path: Path) -> None:
    """No other user can enter a folder of pytest, and so none can be the worker."""
    tmp_path.chmod(0o700)
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o711)
    with default_daemon(data_dir) as host:
        status = status_of(host.daemon.pid)
        assert status["Uid"] == ["0"] * 4
        assert {status[name][0] for name in SETS} == {"0" * 16}
        (warning,) = (line for line in host.daemon.log() if "keeps the user id of root" in line.get("message", ""))
        assert str(tmp_path) in warning["reason"]
        users = users_of(host)
        assert [len(found) for found in users.values()] == [1, 1, 1, 1], users
        assert len(set.union({0}, *users.values())) == 5, users

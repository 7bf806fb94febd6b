"""`workerctl config` and `workerctl status` with a real daemon."""

import json

import pytest
from pw_local_user import LocalUserHost, default_daemon

pytestmark = [pytest.mark.redis, pytest.mark.sandbox, pytest.mark.browser, pytest.mark.timeout(200)]


def config_of(host: LocalUserHost) -> dict[str, object]:
    """The part `config` of the daemon's status."""
    status = json.loads(host.workerctl("status", "--json").stdout)
    found: dict[str, object] = status["config"]
    return found


def test_a_daemon_takes_a_change_and_refuses_a_wrong_one() -> None:
    with default_daemon() as host:
        assert config_of(host)["version"] == 0
        words = ("log.level=debug", "artifacts.link_seconds=60", "--who", "me", "--reason", "to see more")
        done = host.workerctl("config", "set", *words)
        assert done.returncode == 0, done.stderr
        assert "runs version 1" in done.stdout
        assert config_of(host) == {
            "version": 1,
            "who": "me",
            "waiting_for_restart": ["artifacts.link_seconds"],
            "trouble": "",
            "source_trouble": "",
        }
        assert any(line["message"] == "configuration applied" for line in host.daemon.log())
        refused = host.workerctl("config", "set", "sandbox.uids=9", "--reason", "to see it refused")
        assert refused.returncode == 4
        refused = host.workerctl("config", "set", "jobs.retry_base_seconds=1000", "--reason", "above the cap")
        assert (refused.returncode, "retry_base_seconds" in refused.stdout) == (4, True)
        assert config_of(host)["version"] == 1
        assert host.daemon.terminate() == 0

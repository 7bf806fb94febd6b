"""The fleet process serves under what its unit leaves it: some system calls, a read-only host, few files in /proc."""

import json
import os
import subprocess
from contextlib import AbstractContextManager

import httpx
import pytest
from pw_servers import RedisServer
from pw_systemd.confined import compiled_filter, process_under
from pw_systemd.units import FLEET, entries

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the unit's user"),
]


def fleet_process(url: str, descriptor: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """The command of the unit, on a free port and this Redis."""
    ((_, *words),) = (text.split() for key, text in entries(FLEET) if key == "ExecStart")
    options = ["127.0.0.1:0" if word.startswith("127.0.0.1:") else word for word in words[: words.index("--config")]]
    return process_under(descriptor, "pageworker_supervisor.cli.app", options, {"PAGEWORKER_REDIS__URL": url})


def test_the_fleet_process_serves_under_its_unit(live_redis: RedisServer) -> None:
    live_redis.command("RPUSH", "pw:inbox", "{}")
    with fleet_process(live_redis.url, compiled_filter(FLEET)) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        address = json.loads(line)["address"]
        assert json.loads(process.stdout.readline())["wanted_workers"] == 1
        for path in ("readyz", "metrics", "wanted"):
            assert httpx.get(f"http://{address}/{path}", trust_env=False, timeout=30).is_success
        process.kill()
        assert process.communicate() == ("", ""), "neither an error nor a warning"


def test_the_filter_is_in_force(live_redis: RedisServer) -> None:
    with fleet_process(live_redis.url, compiled_filter(FLEET, without="listen")) as process:
        output, errors = process.communicate(timeout=60)
    assert output == ""
    assert "Operation not permitted" in errors

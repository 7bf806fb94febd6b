"""The HTTP API serves under what its unit leaves it: some system calls, a read-only host, few files in /proc."""

import json
import os
import subprocess
from contextlib import AbstractContextManager

import httpx
import pytest
from pw_servers import RedisServer
from pw_systemd.confined import compiled_filter, process_under
from pw_systemd.units import API

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the unit's user"),
]


def api_process(url: str, descriptor: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """The program of the unit, on a free port and this Redis."""
    settings = {
        "PAGEWORKER_REDIS__URL": url,
        "PAGEWORKER_API__BIND": "127.0.0.1:0",
        # A folder that is there, and that it may not write. The unit makes the one of the worker.
        "PAGEWORKER_WORKER__DATA_DIR": "/usr",
    }
    return process_under(descriptor, "pageworker_supervisor.api.process", (), settings)


def test_the_api_serves_under_its_unit(live_redis: RedisServer) -> None:
    with api_process(live_redis.url, compiled_filter(API)) as process:
        assert process.stdout is not None
        while "the API is ready" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        address = json.loads(line)["address"]
        assert httpx.get(f"http://{address}/readyz", trust_env=False, timeout=30).is_success
        assert httpx.post(f"http://{address}/v1/jobs", trust_env=False, timeout=30).status_code == 401
        unknown = {"Authorization": "Bearer pw_a_b"}
        assert httpx.get(f"http://{address}/v1/usage", headers=unknown, trust_env=False, timeout=30).status_code == 401
        process.kill()
        assert process.communicate()[1] == "", "neither an error nor a warning"


def test_the_filter_of_the_api_is_in_force(live_redis: RedisServer) -> None:
    with api_process(live_redis.url, compiled_filter(API, without="listen")) as process:
        output, errors = process.communicate(timeout=60)
    assert "the API is ready" not in output
    assert "Operation not permitted" in output + errors

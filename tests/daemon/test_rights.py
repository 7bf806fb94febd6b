"""A real daemon shows which rights its host gives, and its runners have them."""

import json
import os

import pytest
from pw_local_user import default_daemon

from pageworker_sandbox.launch import cgroup
from pageworker_sandbox.sandbox_rights import ESSENTIAL, NAMES
from pageworker_supervisor.runners.runner_rights import missing_rights

pytestmark = [pytest.mark.redis, pytest.mark.sandbox, pytest.mark.browser, pytest.mark.timeout(200)]


def test_status_metrics_and_runners_agree() -> None:
    with default_daemon() as host:
        status = json.loads(host.workerctl("status", "--json").stdout)
        rights = status["sandbox_rights"]
        assert set(rights) == set(NAMES)
        there = [name for name in NAMES if rights[name]]
        assert set(there) >= set(ESSENTIAL)
        assert rights["own_uid"] is (os.geteuid() == 0)
        metrics = host.daemon.get("/metrics").text.splitlines()
        for name in NAMES:
            assert f'pageworker_sandbox_right{{right="{name}"}} {1.0 if rights[name] else 0.0}' in metrics
        (runner,) = status["runners"]
        assert missing_rights(there, runner["evidence"], runner["proof"], os.geteuid()) == []
        root = cgroup.find_root()
        if root is not None and (root.folder / "memory.pressure").exists():
            assert any(line.startswith("pageworker_sandbox_memory_stall_seconds_total{") for line in metrics)
        assert host.daemon.terminate() == 0

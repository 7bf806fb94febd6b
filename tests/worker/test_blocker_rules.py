"""A worker follows signed blocker rules while it runs: runners with the rules of before take no more jobs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer
from pw_worker import echoes, nap

from pageworker_sandbox.signing import SecretKey
from pageworker_sandbox.signing.blocker_rules import sign_rules
from pageworker_supervisor.registry import blocker_rules

RULE = {"kind": "captcha", "signs": [{"sign": "title", "any_of": ["halt"], "weight": 1.0}]}


async def test_new_rules_reach_new_runners(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocker_rules, "LOOK_SECONDS", 0.05)
    file, key = tmp_path / "rules.json", SecretKey.new()

    def publish(serial: int) -> None:
        expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        data = json.dumps({"version": "ours", "serial": serial, "expires": expires, "rules": [RULE]}).encode()
        file.write_bytes(data)
        file.with_name("rules.json.minisig").write_bytes(sign_rules(data, key))

    publish(1)
    keys = [registry_key[1], key.public.line()]
    more: dict[str, Any] = {"blockers": {"rules": str(file)}, "modules": {"trusted_keys": keys}}
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        await worker.until(lambda: worker.worker.status().blocker_rules.serial == 1)
        await worker.push(nap("one", 1))
        await worker.answered(1)
        publish(2)
        await worker.until(lambda: worker.results["one"]["runner_id"] not in worker.components.fleet.runners)
        assert worker.worker.status().blocker_rules.serial == 2
        await worker.push(nap("two", 1))
        await worker.answered(2)
        assert worker.results["one"]["runner_id"] != worker.results["two"]["runner_id"]
        publish(1)
        await worker.until(lambda: "1 are older than 2" in worker.worker.status().blocker_rules.trouble)
        await worker.push(nap("three", 1))
        await worker.answered(3)
        assert worker.results["two"]["runner_id"] == worker.results["three"]["runner_id"]

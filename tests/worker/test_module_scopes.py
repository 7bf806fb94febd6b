"""Who may run a module, in a worker: the operator's list, scopes of keys, and a trust file that changes."""

from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap

from pageworker_sandbox.signing import parse_public
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.registry import trust_follower


def trust_file(folder: Path, line: str, scope: str, after: str = "") -> Path:
    file = folder / "trust.toml"
    file.write_text(f'[[key]]\nname = "usual"\nkey = "{line}"\nmay_index = true\n{scope}\n{after}')
    return file


def settings(trust: Path) -> dict[str, dict[str, Any]]:
    return {"modules": {"trusted_keys": [], "trust": str(trust)}}


async def rejected(worker: Echoes, job_id: str) -> dict[str, Any]:
    before = len(worker.results)
    await worker.push(nap(job_id, 1))
    await worker.answered(before + 1)
    result = worker.results[job_id]
    assert result["status"] == "rejected", result
    assert result["runner_id"] is None
    error: dict[str, Any] = result["error"]
    return error


async def test_the_operator_lists_modules_of_a_tenant(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    tenants: dict[str, Any] = {"acme": {"modules": ["shop.*"]}}
    async with echoes(live_redis.url, live_redis, registry_key, more={"tenants": tenants}) as worker:
        error = await rejected(worker, "no")
        assert error["type"] == "module_not_allowed"
        assert "the operator adds" in error["detail"]["mend"]
        assert not worker.components.fleet.runners, "no page was reserved"
        text = worker.config.read_text().replace('"shop.*"', '"test.na?"')
        (tmp_path / "pageworker.toml").write_text(text)
        await worker.worker.reload(read_local(tmp_path / "pageworker.toml", {}))
        await worker.push(nap("yes", 1))
        await worker.answered(2)
        assert worker.results["yes"]["status"] == "succeeded"


async def test_a_key_is_for_another_tenant_and_then_for_this_one(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    file = trust_file(tmp_path, registry_key[1], 'tenants = ["other"]')
    async with echoes(live_redis.url, live_redis, registry_key, more=settings(file)) as worker:
        error = await rejected(worker, "no")
        assert error["type"] == "module_tenant_out_of_scope"
        assert parse_public(registry_key[1]).name in error["message"]
        assert "other" not in error["message"], "tenants of a key are not for other tenants"
        trust_file(tmp_path, registry_key[1], 'tenants = ["acme"]')
        await worker.worker.reload(read_local(worker.config, {}))
        await worker.push(nap("yes", 1))
        await worker.answered(2)
        assert worker.results["yes"]["status"] == "succeeded"


async def test_a_revocation_stops_a_module_that_ran_before(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust_follower, "LOOK_SECONDS", 0.05)
    file = trust_file(tmp_path, registry_key[1], "")
    async with echoes(live_redis.url, live_redis, registry_key, more=settings(file)) as worker:
        await worker.push(nap("before", 1))
        await worker.answered(1)
        assert worker.results["before"]["status"] == "succeeded"
        file.write_text("[[kee]]")
        await worker.until(lambda: "kee" in worker.worker.status().trust_trouble)
        with pytest.raises(WorkerRefused, match="kee"):
            await worker.worker.reload(read_local(worker.config, {}))
        await worker.push(nap("still", 1))
        await worker.answered(2)
        assert worker.results["still"]["status"] == "succeeded"
        key_id = parse_public(registry_key[1]).name
        revoked = f'[[revoked]]\nid = "{key_id}"\nat = 2026-11-28T00:00:00Z\nreason = "stolen"\n'
        trust_file(tmp_path, registry_key[1], "", revoked)
        await worker.until(lambda: not worker.worker.status().trust_trouble)
        assert (await rejected(worker, "after"))["type"] == "module_key_revoked"

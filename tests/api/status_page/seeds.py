"""Fills Redis with records that have hostile texts in every field that a producer, a module, a page, a worker or an
operator gives: record N has text N everywhere, and the job `job-all` has all of them."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from pw_queue.words import everything, ticket
from pw_servers import RedisServer
from pw_worker.reports import worker_report

from pageworker_supervisor.contract.worker_report import ReportedRunner
from pageworker_supervisor.queue import QueueClient

AT_MS = 1_800_000_000_000
TIMELINE = "pw:{0}:timeline:acme/%s"


def result(job_id: str, tenant_id: str, text: str) -> dict[str, Any]:
    """A result with the text in each field."""
    at = "2026-11-28T12:00:00Z"
    facts = {"worker_id": text, "module_version": text, "proxy": text}
    artifact = {"kind": text, "url": text, "sha256": text, "bytes": 1, "content_type": text, "page_url": text}
    named = ("endpoint_module", "profile_id", "trace_id", "module_version", "worker_id", "runner_id")
    return {
        **dict.fromkeys(named, text),
        "job_id": job_id,
        "tenant_id": tenant_id,
        "status": "failed",
        "meta": {text: text},
        "data": {text: [text]},
        "error": {"type": text, "message": text, "retryable": False, "detail": {text: text}},
        "blocker": {"kind": "captcha", "provider": text, "evidence": {text: text}, "url": text},
        "artifacts": [artifact, {**artifact, "content_type": "image/png"}],
        "artifacts_lost": [{"kind": text, "type": text, "message": text, "bytes": 1}],
        "attempts": [
            {"attempt": 1, "started_at": at, "duration_seconds": 1, "outcome": text, "reason": text, **facts},
        ],
        "steps": [
            {"attempt": 1, "number": 1, "at": at, "text": text, "fields": {text: text}, "error": text},
        ],
    }


def history(text: str) -> bytes:
    """The history of a job."""
    used = {"attempt": 1, "outcome": text, "error": text, "proxy": text, "module_version": text}
    lines = [
        (b"q", {}),
        (b"c", {}),
        (b"d", {"worker": text, "reason": text, "used": used}),
        (b"F", {"status": 404, "reason": text}),
        (b"Z", {"text": text}),
    ]
    return b"\n".join(b"%b%x%b" % (code, AT_MS, msgspec.json.encode(facts)) for code, facts in lines)


async def seed(server: RedisServer, queue: QueueClient, texts: Sequence[str]) -> None:
    """All records, in an empty Redis."""
    await queue.load()
    await queue.pauses.pause("module", "x", "", "ann")
    for number, text in enumerate(texts):
        await _seed_record(server, queue, number, text)
    _seed_job(server, "job-all", " ".join(texts))
    deferred = [ticket(f"deferred-{number}") for number in range(len(texts))]
    await queue.producer.enqueue(deferred)
    leases = {lease.ref.job_id: lease for lease in (await queue.consumer.claim("w1", everything(500))).leases}
    for number, text in enumerate(texts):
        await queue.consumer.defer(leases[f"deferred-{number}"], 3_600_000, text)


def _seed_job(server: RedisServer, job_id: str, text: str) -> dict[str, Any]:
    body = result(job_id, "acme", text)
    server.command("SET", f"pw:result:acme:{job_id}", json.dumps(body))
    server.command("SET", TIMELINE % job_id, history(text))
    return body


async def _seed_record(server: RedisServer, queue: QueueClient, number: int, text: str) -> None:
    body = _seed_job(server, f"job-{number}", text)
    # The ids of results that someone else writes into the stream may be anything, too.
    listed = {**body, "job_id": text, "tenant_id": text if number % 2 else "acme"}
    server.command("XADD", "pw:{0}:results", "*", "result", json.dumps(listed))
    letter = {"job_id": text, "tenant_id": "acme", "reason": text, "job": json.dumps({text: text}), "letter": text}
    fields = [part for pair in {**letter, "place": ""}.items() for part in pair]
    server.command("XADD", "pw:{0}:dead", "*", *fields)
    runner = ReportedRunner(runner_id=text, tenant_id=text, state=text, pages=1, running=1)
    report = worker_report(
        f"w{number:03}", text, host=text, version=text, reason=text, runners=(runner,), reported_at=AT_MS / 1000
    )
    await queue.workers.report(msgspec.structs.replace(report, worker_id=text))
    rollout = {
        **dict.fromkeys(("id", "who", "why", "evidence"), text),
        **dict.fromkeys(("from_version", "to_version"), text[:64]),
        **dict.fromkeys(("started_at_ms", "changed_at_ms"), AT_MS),
        "state": "running",
        "percent": 5,
    }
    entry = msgspec.json.encode({"rollout": rollout, "rolled_back": [text], "withdrawn": [text]})
    await queue.rollouts.write(f"m{number:03}{text}"[:200], 0, entry, b"{}")
    if number < 40:
        await queue.pauses.pause("module", f"m{number:02}{text}"[:200], text, text)
        await queue.pauses.pause("tenant", f"{number:02}{text}"[:200], text, text)
        await queue.workers.store_drain(
            f"worker:{text}", f"d{number}", 60, else_seconds=60, who=text, reason=text, cancel=False
        )

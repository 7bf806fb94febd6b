"""The way in over HTTP against the way in over Redis: jobs per second until all of them are in the queue.

HTTP: one client posts lists of 1,000 jobs over one connection to `pageworker-api`. Redis: a pipelined RPUSH, and intake
in a process of its own. Both check each job, and run the same Redis Function.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
from redis.asyncio import Redis

from bench.fixtures import redis_server
from bench.options import Options
from bench.process_tree import ProcessTree
from bench.queue_client import opened_client
from bench.rows import BenchRow, compared
from bench.run import WrongResult
from bench.stopwatch import POLL_SECONDS, ROOT, RUN_SECONDS
from bench.work import PAYLOAD, REDIS_VARIABLE
from pageworker_supervisor.access.token_admin import TokenAdmin
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect

JOBS_PER_BROWSER_JOB = 50
PER_REQUEST = 1000
TENANT = "bench"


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """The rate of the API, and its ratio to that of intake in the same round."""
    jobs = JOBS_PER_BROWSER_JOB * options.jobs
    over_http, over_redis = list[float](), list[float]()
    for round_ in range(options.rounds):
        turns = [(over_http, _over_http), (over_redis, _over_redis)]
        for rates, measure in turns if round_ % 2 else reversed(turns):
            rates.append(asyncio.run(measure(jobs)))
        print(f"round {round_}, jobs/s: http {over_http[-1]:.0f}, redis {over_redis[-1]:.0f}", file=sys.stderr)
    yield compared("api.bulk_jobs_per_second", "jobs/s", "pipelined RPUSH with intake", over_http, over_redis)


async def _over_redis(jobs: int) -> float:
    async with _started("bench.intake_worker") as (client, _):
        await client.rpush("pw:inbox", _text("first"))
        await _queued(client, 1)
        texts = [_text(f"job-{number:09d}") for number in range(jobs)]
        began = time.perf_counter()
        for at in range(0, jobs, PER_REQUEST):
            async with client.pipeline(transaction=False) as pipe:
                for text in texts[at : at + PER_REQUEST]:
                    pipe.rpush("pw:inbox", text)
                await pipe.execute()
        await _queued(client, jobs + 1)
        return jobs / (time.perf_counter() - began)


async def _over_http(jobs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        config, log = Path(folder) / "api.toml", Path(folder) / "log"
        words = ("pageworker_supervisor.api.process", "--config", str(config))
        async with _started(*words, config=config, log=log) as (client, url):
            redis_client = connect(RedisSettings(url=url))
            token = await TokenAdmin(QueueClient(redis_client).access_tokens).create(TENANT, ["producer"])
            await redis_client.aclose()
            base = f"http://127.0.0.1:{await _port(log)}"
            bearer = {"Authorization": f"Bearer {token.text}", "Content-Type": "application/json"}
            texts = [_text(f"job-{number:09d}") for number in range(jobs)]
            async with httpx.AsyncClient(trust_env=False, base_url=base, headers=bearer, timeout=60) as http:
                await _post(http, [_text("first")])
                began = time.perf_counter()
                for at in range(0, jobs, PER_REQUEST):
                    await _post(http, texts[at : at + PER_REQUEST])
                seconds = time.perf_counter() - began
            await _queued(client, jobs + 1)
            return jobs / seconds


async def _post(http: httpx.AsyncClient, texts: Sequence[bytes]) -> None:
    answer = await http.post("/v1/jobs", content=b'{"jobs":[' + b",".join(texts) + b"]}")
    statuses = {job["status"] for job in answer.json().get("jobs", ())}
    if statuses != {"queued"}:
        raise WrongResult(f"{answer.status_code}: {answer.text[:200]}")


async def _port(log: Path) -> int:
    async with asyncio.timeout(RUN_SECONDS):
        while True:
            text = log.read_bytes()
            if b"the API is ready" in text:
                return int(text.partition(b"127.0.0.1:")[2].partition(b'"')[0])
            await asyncio.sleep(POLL_SECONDS)


async def _queued(client: Redis, jobs: int) -> None:
    async with asyncio.timeout(RUN_SECONDS):
        while True:
            # Redis has no event for it.
            if int(await client.hget("pw:{0}:meta", "jobs") or 0) >= jobs:
                return
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def _started(
    *words: str, config: Path | None = None, log: Path | None = None
) -> AsyncIterator[tuple[Redis, str]]:
    """A program on an empty Redis: a client of it, and its URL."""
    with redis_server() as (url, _):
        tree = ProcessTree()
        if config is not None:
            config.write_text(f'[redis]\nurl = "{url}"\n[api]\nbind = "127.0.0.1:0"\n')
        environment = {**os.environ, REDIS_VARIABLE: url, "PYTHONPATH": str(ROOT)}
        out = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT)
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *words), cwd=ROOT, env=environment, stdout=out
        )
        os.close(out)
        try:
            async with opened_client(url) as client:
                yield client, url
                program.kill()
                await program.wait()
        finally:
            tree.kill()


def _text(job_id: str) -> bytes:
    job = {"job_id": job_id, "tenant_id": TENANT, "endpoint_module": "bench.echo", "payload": PAYLOAD}
    return msgspec.json.encode(job)

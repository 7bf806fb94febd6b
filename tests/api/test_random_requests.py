"""Random requests to each operation of the OpenAPI document, by one seed: `make api-fuzz` in small, in a second.

No answer is a server error, or has a status that the document does not name.
"""

import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
from api.conftest import ServedApi, serving, settings_for
from pw_servers import RedisServer

from pageworker_supervisor.config.api_settings import ApiSettings

SEED = 21
REQUESTS = 60
"""Per operation."""
TEXTS = (
    "",
    "17",
    "acme",
    "beta",
    "\x00",
    "é",
    "💥",
    "../..",
    "%2e%2e",
    "a" * 300,
    "*",
    "null",
    "-1",
    "1e999",
    "NaN",
    "[]",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    1.5,
    "",
    "x",
    "2026-11-28T00:00:00Z",
    [],
    {},
    [[]],
    {"a": {"b": []}},
)
JOB = {"job_id": "17", "endpoint_module": "shop.product", "payload": {"url": "https://shop.test/"}}


def query(chance: random.Random, names: list[str]) -> dict[str, str]:
    """Some of the names of the query, and now and then one that is not known."""
    some = [name for name in (*names, "unknown") if chance.random() < 0.4]
    return {name: chance.choice((*TEXTS, "0", "0.01", "5", "csv")) for name in some}


def body(chance: random.Random, fields: list[str]) -> bytes | Any:
    """A job with some wrong values, a list of such, or no JSON."""
    kind = chance.random()
    if kind < 0.1:
        return chance.choice((b"", b"{", b"\xff", b"[" * 5000, b'{"a":1,"a":2}'))
    jobs = []
    for _ in range(chance.choice((1, 1, 1, 0, 3))):
        job: dict[str, Any] = dict(JOB)
        for _ in range(chance.randrange(3)):
            job[chance.choice((*fields, *TEXTS[1:]))] = chance.choice(VALUES)
        jobs.append(job)
    return jobs[0] if len(jobs) == 1 else {"jobs": jobs}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        if path != "/v1/events":  # its answer has no end
            yield from ((path, method, operation) for method, operation in methods.items())


async def ask(api: ServedApi, chance: random.Random, path: str, method: str, about: dict[str, Any]) -> httpx.Response:
    names = [each["name"] for each in about.get("parameters", ()) if each["in"] == "query"]
    filled = path
    while "{" in filled:
        start, end = filled.index("{"), filled.index("}")
        value = quote(chance.choice(("17", "0", chance.choice(TEXTS[1:]))), safe="%")
        filled = filled[:start] + value + filled[end + 1 :]
    sent: dict[str, Any] = {}
    if "requestBody" in about:
        content = body(
            chance, ["priority", "profile_id", "timeout_seconds", "callback_url", "meta", "proxy", "payload"]
        )
        sent = (
            {"content": content, "headers": {"Content-Type": "application/json"}}
            if isinstance(content, bytes)
            else {"json": content}
        )
    headers = sent.pop("headers", {}) | api.as_(chance.choice(("a1", "a1", "f1", "v1", "p1", "none")))
    return await api.client.request(method.upper(), filled, params=query(chance, names), headers=headers, **sent)


async def test_no_random_request_makes_a_server_error(live_redis: RedisServer) -> None:
    chance = random.Random(SEED)
    fast = ApiSettings(bind="127.0.0.1:0", requests_per_second=1e6, burst=1_000_000, max_wait_seconds=0.05)
    async with serving(settings_for(live_redis.url, fast)) as api:
        document = (await api.client.get("/v1/openapi.json")).json()
        seen: set[tuple[str, int]] = set()
        for path, method, about in operations(document):
            for _ in range(REQUESTS):
                answer = await ask(api, chance, path, method, about)
                asked = answer.request
                told = f"{asked.method} {asked.url} {asked.content[:300]!r}: {answer.text[:300]}"
                # Without a registry, modules cannot be shown.
                assert answer.status_code < 500 or answer.json()["code"] == "registry_unavailable", told
                if str(answer.request.url.path).startswith(path.partition("{")[0]) and answer.status_code != 405:
                    assert str(answer.status_code) in about["responses"] or "default" in about["responses"], told
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json", told
                seen.add((path, answer.status_code // 100))
        assert {path for path, _ in seen} == {path for path, _, _ in operations(document)}
        assert sum(status == 2 for _, status in seen) >= 6, "some are right"
        assert await api.queue.inspection.check_consistency() == []

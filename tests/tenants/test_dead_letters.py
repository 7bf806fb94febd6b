"""Dead letters of two tenants in one bounded stream."""

import json
from collections.abc import AsyncIterator

import pw_tenants
import pytest_asyncio
from pw_tenants import Home, home_with

pytestmark = pw_tenants.MARKS
MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small() -> AsyncIterator[Home]:
    """A worker that keeps one megabyte of dead letters."""
    async with home_with(results={"dead_bytes": MIB}, pool={"runners": 1, "pages": 2}) as opened:
        yield opened


async def test_one_tenants_giant_texts_do_not_push_out_anothers_letters(small: Home) -> None:
    """A pushes hundreds of large texts that are no jobs; all of B's dead letters are still there, and A's newest."""
    mine = [small.fresh("mine") for _ in range(20)]
    await small.b.push(*(small.b.broken(job_id) for job_id in mine))
    await small.b.fence()
    for number in range(20):
        padding = f"{number}" + "x" * 40_000
        texts = (small.a.job(small.fresh("giant"), "tenants.say", {}, nonsense=padding) for _ in range(10))
        await small.a.push(*texts)
    await small.a.fence()
    code, said = await small.workerctl("dead", "list", "--tenant", small.b.name, "--count", "500", "--json")
    assert code == 0
    assert set(mine) <= {letter["job_id"] for letter in json.loads(said)}
    theirs = (await small.queue.dead_letters.page(500, tenant_id=small.a.name)).letters
    assert 20 < len(theirs) < 80
    assert await small.redis_client.send("MEMORY", "USAGE", "pw:{0}:dead", "SAMPLES", 0, key="pw:{0}:dead") < 3 * MIB


async def test_a_text_of_megabytes_is_kept_in_part_and_delays_no_other(small: Home) -> None:
    """A pushes a text of 20 MB; what stays of it is small and says how long it was, and B's job runs meanwhile."""
    huge = '{"tenant_id": "' + small.a.name + '", "payload": "' + "x" * (20 * MIB)
    job_id = small.fresh("beside")
    await small.a.push(huge, small.b.say(job_id))
    result = await small.b.result(job_id, 15)
    assert result["status"] == "succeeded"
    await small.b.fence()
    letters = (await small.queue.dead_letters.page(50)).letters
    (letter,) = [one for one in letters if b"xxxx" in one.job and one.tenant_id is None]
    assert len(letter.job) == 16 * 1024
    assert json.loads(letter.detail)["text"]["bytes"] == len(huge)

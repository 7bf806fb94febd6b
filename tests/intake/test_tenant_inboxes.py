"""Many inboxes with few commands, on a real Redis."""

import pytest
from pw_intake import QUICK, Counter, job

from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.tenant_inboxes import BATCH_PER_TENANT, TenantInboxes, arrivals


@pytest.fixture
def inboxes(counter: Counter) -> TenantInboxes:
    return TenantInboxes(counter.redis_client, "pw", "w1", QUICK)


async def test_a_look_finds_what_is_not_empty(counter: Counter, inboxes: TenantInboxes) -> None:
    names = [f"t{number}" for number in range(1200)]
    await counter.push_to("t1", job(1))
    await counter.push_to("t1100", job(1))
    await counter.add_to("t700", job(1))
    assert await inboxes.look(names) == ({"t1", "t1100"}, {"t700"})
    assert await inboxes.look([]) == (set(), set())
    await counter.redis_client.send("DEL", "pw:inbox:t1", "pw:inbox:t1100", "pw:jobs:t700", key="pw:inbox")


async def test_a_take_has_a_part_of_each_and_says_where_more_is(counter: Counter, inboxes: TenantInboxes) -> None:
    await counter.push_to("acme", *(job(number) for number in range(BATCH_PER_TENANT + 1)))
    await counter.push_to("rival", job(1, "rival"))
    texts, rest = await inboxes.take(["acme", "none", "rival"])
    found = list(arrivals(texts))
    assert [arrival.origin for arrival in found] == ["acme"] * BATCH_PER_TENANT + ["rival"]
    assert found[0] == Arrival(job(0), origin="acme")
    assert rest == {"acme"}
    assert await inboxes.taken.leftovers() == texts
    await inboxes.taken.remove(texts)
    texts, rest = await inboxes.take(["acme"])
    assert (len(texts), rest) == (1, set())
    await inboxes.taken.remove(texts)


def test_keys_are_told_apart(inboxes: TenantInboxes) -> None:
    keys = [b"pw:inbox:acme", b"pw:jobs:acme", b"pw:jobs:rival", b"pw:other", b"pw:inbox:\xff"]
    lists, streams = inboxes.tenants_of(keys)
    assert (lists - {"\ufffd"}, streams) == ({"acme"}, {"acme", "rival"})


def test_a_text_may_have_spaces() -> None:
    assert list(arrivals([b"acme {} {}", b"acme "])) == [Arrival(b"{} {}", origin="acme"), Arrival(b"", origin="acme")]

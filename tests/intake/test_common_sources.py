"""The step of a source: a batch goes to the enqueuer, and leaves the source only then."""

from collections.abc import Iterable

import pytest
from pw_doubles import any_typed
from pw_intake import QUICK, Counter, job

from pageworker_supervisor.intake.admission import RejectedText
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.common_sources import ListSource, StreamSource
from pageworker_supervisor.intake.list_source import ProducerList
from pageworker_supervisor.intake.stream_source import ProducerStream
from pageworker_supervisor.redis_client.errors import RedisRefused


class Admitted:
    """In place of the enqueuer: what it was given. `fails`: the next call raises."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.rejected: list[RejectedText] = []
        self.fails = False

    async def admit(
        self, arrivals: Iterable[Arrival], rejected: Iterable[RejectedText] = (), *, repeated: bool = False
    ) -> None:
        if self.fails:
            self.fails = False
            raise RedisRefused("a bug")
        self.arrivals += arrivals
        self.rejected += rejected


@pytest.fixture
def admitted() -> Admitted:
    return Admitted()


async def test_a_tenants_stream_has_its_tenant(counter: Counter, admitted: Admitted) -> None:
    stream = ProducerStream(counter.redis_client, "pw", "w1", QUICK, "acme")
    source = StreamSource(stream, any_typed(admitted), "acme")
    await counter.add_to("acme", job(1, "rival"))
    await counter.add_to("acme", b"x", field="other")
    await counter.add_to("rival", job(2, "rival"))
    assert await source.take()
    assert not await source.take()
    assert [(arrival.text, arrival.origin) for arrival in admitted.arrivals] == [(job(1, "rival"), "acme")]
    assert [one.tenant for one in admitted.rejected] == ["acme"]
    await counter.redis_client.send("DEL", "pw:jobs:rival", key="pw:jobs")


async def test_the_common_ones_have_none(counter: Counter, admitted: Admitted) -> None:
    stream = ProducerStream(counter.redis_client, "pw", "w1", QUICK)
    await counter.add(job(1))
    await StreamSource(stream, any_typed(admitted)).fresh()
    await counter.push(job(2))
    await ListSource(ProducerList(counter.redis_client, "pw", "w1", QUICK), any_typed(admitted)).fresh()
    assert [arrival.origin for arrival in admitted.arrivals] == [None, None]


async def test_a_batch_that_fails_is_left_over(counter: Counter, admitted: Admitted) -> None:
    source = ListSource(ProducerList(counter.redis_client, "pw", "w1", QUICK), any_typed(admitted))
    await counter.push(job(1))
    admitted.fails = True
    with pytest.raises(RedisRefused):
        await source.fresh()
    assert await source.leftovers()
    assert [arrival.text for arrival in admitted.arrivals] == [job(1)]
    assert not await source.leftovers()

"""The stream's group: reaching the dead behind the living."""

from pw_intake import Counter, job

from pageworker_supervisor.intake.stream_source import BATCH, ProducerStream
from pageworker_supervisor.intake.timing import IntakeTimeouts


async def test_the_dead_behind_many_living_are_reached(counter: Counter) -> None:
    """XAUTOCLAIM looks at ten times COUNT entries a call; always from the beginning, it would see only the living."""
    send = counter.redis_client.send
    await send("XGROUP", "CREATE", "pw:jobs", "pw", "0", "MKSTREAM", key="pw:jobs")
    await counter.add(*(job(i) for i in range(10 * BATCH + 50)))
    await send("XREADGROUP", "GROUP", "pw", "living", "COUNT", 10_000, "STREAMS", "pw:jobs", ">", key="pw:jobs")
    await counter.add(job(1, "dead"))
    ((_, ((dead, _),)),) = await send("XREADGROUP", "GROUP", "pw", "x", "STREAMS", "pw:jobs", ">", key="pw:jobs")
    await send("XCLAIM", "pw:jobs", "pw", "x", 0, dead, "IDLE", 3_600_000, key="pw:jobs")
    stream = ProducerStream(counter.redis_client, "pw", "w1", IntakeTimeouts())
    assert [entry.id for entry in await stream.adopt()] == [dead]
    await send("DEL", "pw:jobs", key="pw:jobs")

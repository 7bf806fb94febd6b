"""How many pauses are kept."""

from pw_queue import QueueHarness


async def test_no_more_than_a_thousand_pauses_are_kept(harness: QueueHarness) -> None:
    pauses = harness.queue.pauses
    for n in range(1000):
        assert (await pauses.pause("tenant", f"t{n}", "why", "ann")).changed
    over = await pauses.pause("tenant", "one-more", "why", "ann")
    assert (over.changed, over.full) == (False, (0,))
    assert (await pauses.pause("tenant", "t7", "another reason", "ann")).changed

"""A profile cools down until its time is over, and a shorter cool-down does not end a longer one."""

from pw_queue import QueueHarness


async def test_a_cool_down_ends(harness: QueueHarness) -> None:
    cooling = harness.queue.profile_cooling
    assert await cooling.seconds_left("acme", "p1") == 0
    assert await cooling.cool("acme", "p1", 100) == 100
    assert 99 < await cooling.seconds_left("acme", "p1") <= 100
    assert await cooling.cool("acme", "p1", 10) > 99
    assert await cooling.cool("acme", "p1", 200) == 200
    assert await cooling.seconds_left("acme", "p2") == 0
    assert await cooling.seconds_left("beta", "p1") == 0
    await harness.client.pexpire("pw:{0}:profile_cooling:acme/p1", 1)
    while await cooling.seconds_left("acme", "p1"):
        pass

"""A pause of what is paused already: it replaces the one in force, or leaves it as it is."""

from pw_queue import QueueHarness

HOST = "shop.test"


async def test_a_pause_that_keeps_leaves_one_in_force_as_it_is(harness: QueueHarness) -> None:
    first = await harness.queue.pauses.pause("domain", HOST, "the shop asked for it", "ann@ops")
    kept = await harness.queue.pauses.pause("domain", HOST, "captcha", "blocker policy", 5, keep=True)
    assert (kept.until_ms, kept.failed) == (first.until_ms, {})
    (view,) = await harness.queue.pauses.all()
    assert (view.by, view.until_ms) == ("ann@ops", None)
    await harness.queue.pauses.unpause("domain", HOST, "ann@ops")
    await harness.queue.pauses.pause("domain", HOST, "captcha", "blocker policy", 5, keep=True)
    (view,) = await harness.queue.pauses.all()
    assert view.by == "blocker policy"

"""A tunnel: two streams that forward to each other until both are closed."""

from contextlib import nullcontext

from pageworker_sandbox.egress.idle_timeout import IdleTimeout, QuietTimeout
from pageworker_sandbox.egress.kernel_splice import SpliceSlots
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.stream import Stream


async def tunnel(
    runner: Stream, origin: Stream, limits: EgressLimits, slots: SpliceSlots, *, ends_when_quiet: bool = False
) -> None:
    """Forward bytes and ends both ways. Returns when both streams are closed, or when no byte moved for too long.

    `slots`: the runner's, for large transfers. `ends_when_quiet`: others wait for its end (`QuietTimeout`).
    """
    quiet = QuietTimeout(runner, origin, limits.quiet_seconds) if ends_when_quiet else nullcontext()
    with IdleTimeout(runner, origin, limits.silence_seconds), quiet:
        runner.splice(origin, slots)
        await runner.either_gone(origin)
    await runner.finish(limits.linger_seconds)
    await origin.finish(limits.linger_seconds)

"""A tunnel: two streams that forward to each other until both are closed."""

from pageworker_sandbox.egress.idle_timeout import IdleTimeout
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.stream import Stream


async def tunnel(runner: Stream, origin: Stream, limits: EgressLimits) -> None:
    """Forward bytes and ends both ways. Returns when both streams are closed, or when no byte moved for too long."""
    with IdleTimeout(runner, origin, limits.silence_seconds):
        runner.splice(origin)
        await runner.either_gone(origin)
    await runner.finish(limits.linger_seconds)
    await origin.finish(limits.linger_seconds)

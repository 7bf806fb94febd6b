"""One connection of a runner: requests one after the other, each forwarded, tunnelled or refused."""

import h11

from pageworker_sandbox.egress import reply
from pageworker_sandbox.egress.errors import Disconnected, EgressError, MalformedTarget
from pageworker_sandbox.egress.exchange import forward
from pageworker_sandbox.egress.headers import has_body
from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.policy_enforcer import PolicyEnforcer
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import parse_authority

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def serve(outlet: PolicyEnforcer, stream: Stream) -> None:
    """Serve until the runner hangs up or its connection can not go on."""
    runner = HttpSide(stream, h11.SERVER, outlet.limits, outlet.pace)
    try:
        while await _serve_one(outlet, runner):
            pass
    except Disconnected:
        return
    await stream.finish(outlet.limits.linger_seconds)


async def _serve_one(outlet: PolicyEnforcer, runner: HttpSide) -> bool:
    head = False
    try:
        request = await runner.request()
        if request is None:
            return False
        head = request.method == b"HEAD"
        if not has_body(request):
            await runner.event()  # its end, which needs no more bytes
        if request.method == b"CONNECT":
            await _tunnel(outlet, runner, request)
            return False
        return await forward(outlet, runner, request)
    except Disconnected:
        raise
    except (EgressError, h11.RemoteProtocolError) as error:
        # In one piece: proxy agents for Node read a refused CONNECT's answer from one packet.
        runner.send(*reply.events(error, head))
        await runner.stream.drain()
        return runner.next_cycle()


async def _tunnel(outlet: PolicyEnforcer, runner: HttpSide, request: h11.Request) -> None:
    if has_body(request):
        raise MalformedTarget("CONNECT has no body (RFC 9110, section 9.3.6)")
    route = outlet.admit(parse_authority(request.target))
    origin = await outlet.open(route, tunnel=True)
    try:
        runner.stream.write(ESTABLISHED)
        origin.write(runner.trailing)
        await runner.stream.carry(origin, outlet.limits.silence_seconds, outlet.limits.linger_seconds)
    finally:
        origin.abort("the tunnel ended")

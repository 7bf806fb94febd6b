"""One connection of a runner: its requests, one after the other. Each is forwarded, tunnelled or refused."""

import h11

from pageworker_sandbox.egress import reply
from pageworker_sandbox.egress.errors import Disconnected, EgressError, MalformedTarget, UpstreamFailed
from pageworker_sandbox.egress.exchange import forward
from pageworker_sandbox.egress.failover import Failover
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.headers import has_body
from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.policy_enforcer import PolicyEnforcer
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target, parse_authority, requested_authority
from pageworker_sandbox.egress.tunnel import tunnel

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def serve(enforcer: PolicyEnforcer, stream: Stream, reports: FailureReports) -> None:
    """Serve until the runner disconnects, or until its connection cannot be used any more."""
    runner = HttpSide(stream, h11.SERVER, enforcer.limits, enforcer.parse_budget)
    try:
        while await _serve_one(enforcer, runner, reports):
            pass
    except Disconnected:
        return
    await stream.finish(enforcer.limits.linger_seconds)


async def _serve_one(enforcer: PolicyEnforcer, runner: HttpSide, reports: FailureReports) -> bool:
    """Serve one request. True: another one may follow."""
    method = target = b""
    try:
        request = await runner.request()
        if request is None:
            return False
        method, target = request.method, request.target
        if not has_body(request):
            await runner.event()  # the end of the message, which needs no further bytes
        if request.method == b"CONNECT":
            await _connect(enforcer, runner, request)
            return False
        return await forward(enforcer, runner, request)
    except Disconnected:
        raise
    except (EgressError, h11.RemoteProtocolError) as error:
        authority = requested_authority(method, target)
        # Before the answer, so that the runner has the reason when its browser reports the failure.
        reports.report(reply.failure(error, authority))
        # As one write: proxy agents for Node read the answer to a refused CONNECT from one packet.
        runner.stream.write(reply.answer(error, authority, tunnel=method == b"CONNECT"))
        await runner.stream.drain()
        return False


async def _connect(enforcer: PolicyEnforcer, runner: HttpSide, request: h11.Request) -> None:
    if has_body(request):
        raise MalformedTarget("CONNECT has no body (RFC 9110, section 9.3.6)")
    target = parse_authority(request.target)
    with enforcer.record(request.method, target) as record:
        failover = enforcer.admit(target)
        async with enforcer.permitted(target, failover, tunnel=True) as counted:
            origin = await _open_tunnel(enforcer, failover, target)
            record.watch(origin)
            try:
                runner.stream.write(ESTABLISHED)
                origin.write(runner.trailing)
                await tunnel(runner.stream, origin, enforcer.limits, enforcer.splices, ends_when_quiet=counted)
            finally:
                origin.abort("the tunnel has ended")


async def _open_tunnel(enforcer: PolicyEnforcer, failover: Failover, target: Target) -> Stream:
    for route in failover:
        try:
            stream = await enforcer.connect(failover, route, tunnel=True)
        except UpstreamFailed as failure:
            enforcer.failed(route, failure)
        else:
            enforcer.worked(route)
            enforcer.used(route)
            return stream
    raise enforcer.no_route_left(target)

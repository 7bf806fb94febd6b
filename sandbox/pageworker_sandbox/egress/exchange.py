"""One forwarded request and its response. The forwarded messages are rebuilt from the parsed ones."""

import h11

from pageworker_sandbox.egress import headers
from pageworker_sandbox.egress.access_log import RequestRecord
from pageworker_sandbox.egress.errors import (
    Disconnected,
    MalformedTarget,
    TargetUnreachable,
    UnreachableReason,
    UpstreamFailed,
)
from pageworker_sandbox.egress.failover import Failover
from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.idle_timeout import IdleTimeout
from pageworker_sandbox.egress.messages import UpstreamFault
from pageworker_sandbox.egress.policy import Route
from pageworker_sandbox.egress.policy_enforcer import PolicyEnforcer
from pageworker_sandbox.egress.target import parse_url
from pageworker_sandbox.egress.tunnel import tunnel
from pageworker_sandbox.egress.upstream import credentials
from pageworker_sandbox.task_group import TaskGroup

SAFE_METHODS = {b"GET", b"HEAD", b"OPTIONS"}
"""Methods without an effect on the origin: a request may be repeated. Source: RFC 9110, section 9.2.1."""


class _StaleConnection(Exception):
    """The origin had closed a kept connection before it saw the request: use another connection."""


async def forward(enforcer: PolicyEnforcer, runner: HttpSide, request: h11.Request) -> bool:
    """Answer one request with its origin's response. True: the runner's connection can be used again.

    Raises MalformedTarget, EgressRefused or TargetUnreachable before the answer has begun, Disconnected afterwards.
    """
    target, path = parse_url(request.target)
    with enforcer.record(request.method, target) as record:
        failover = enforcer.admit(target)
        async with enforcer.permitted(target, failover, tunnel=False):
            for route in failover:
                exchange = Exchange(enforcer, runner, request, route, path, record)
                try:
                    return await _forward_over(enforcer, exchange, failover, route)
                except UpstreamFailed as failure:
                    enforcer.failed(route, failure)
            raise enforcer.no_route_left(target)


async def _forward_over(enforcer: PolicyEnforcer, exchange: "Exchange", failover: Failover, route: Route) -> bool:
    kept = enforcer.pool.take(route)
    if kept is not None:
        try:
            return await exchange.run(kept, kept=True)
        except _StaleConnection:
            pass
    stream = await enforcer.connect(failover, route, tunnel=False)
    return await exchange.run(HttpSide(stream, h11.CLIENT, enforcer.limits, enforcer.parse_budget), kept=False)


class Exchange:
    """State of one request: whether the answer has begun, whether the protocol was switched."""

    def __init__(
        self,
        enforcer: PolicyEnforcer,
        runner: HttpSide,
        request: h11.Request,
        route: Route,
        path: bytes,
        record: RequestRecord,
    ) -> None:
        self._enforcer = enforcer
        self._runner = runner
        self._route = route
        self._record = record
        self._websocket = headers.wants_websocket(request)
        self._has_body = headers.has_body(request)
        self._repeatable = not self._has_body and request.method in SAFE_METHODS
        self._request = self._rewrite(request, path)
        self._answer_begun = False
        self._switched = False
        self._poured = False
        """A large body has passed, and the origin's connection can be used again."""

    async def run(self, origin: HttpSide, kept: bool) -> bool:
        """Send the request to `origin`. Raises _StaleConnection only if `kept`, and if a second try is safe.

        Raises UpstreamFailed if another proxy may get the request, because it cannot have had an effect yet.
        """
        self._enforcer.used(self._route)
        if not self._route.absolute:
            self._enforcer.worked(self._route)
        self._record.watch(origin.stream)
        runner = self._runner.stream
        idle = IdleTimeout(runner, origin.stream, self._enforcer.limits.silence_seconds)
        with runner.ending(origin.stream), idle:
            try:
                await self._transfer(origin)
            except (Disconnected, h11.RemoteProtocolError) as error:
                origin.stream.abort("the exchange failed")
                if self._answer_begun:
                    # A clean close would look like the end of a response that has no length.
                    runner.reset("the response was cut short")
                    raise Disconnected(str(error)) from error
                if self._enforcer.meter.over:
                    raise self._enforcer.failure(_reason(error, origin)) from error
                if kept and not self._has_body and not idle.expired and runner.open:
                    raise _StaleConnection from error
                if self._route.absolute and self._repeatable and not idle.expired and runner.open:
                    raise UpstreamFailed(_upstream_fault(error, origin), doubtful=True) from error
                reason = "origin_silent" if idle.expired else _reason(error, origin)
                raise self._enforcer.failure(reason) from error
        return await self._finish(origin)

    async def _finish(self, origin: HttpSide) -> bool:
        if self._switched:
            origin.stream.write(self._runner.trailing)
            self._runner.stream.write(origin.trailing)
            await tunnel(self._runner.stream, origin.stream, self._enforcer.limits, self._enforcer.splices)
            return False
        if self._poured:
            origin = HttpSide(origin.stream, h11.CLIENT, self._enforcer.limits, self._enforcer.parse_budget)
        if self._poured or origin.next_cycle():
            self._enforcer.pool.put(origin, self._route)
        else:
            origin.stream.abort("the connection cannot be reused")
        return self._runner.next_cycle()

    async def _transfer(self, origin: HttpSide) -> None:
        if not self._has_body:
            origin.send(self._request, h11.EndOfMessage())
            await self._download(origin)
            return
        origin.send(self._request)
        # An origin may answer before it has the whole body, so both directions run at once.
        failure: Disconnected | h11.RemoteProtocolError | TargetUnreachable | UpstreamFailed | None = None
        async with TaskGroup() as group:
            upload = group.create_task(self._upload(origin))
            try:
                await self._download(origin)
            except (Disconnected, h11.RemoteProtocolError, TargetUnreachable, UpstreamFailed) as error:
                failure = error
            upload.cancel()
        if failure is not None:
            raise failure

    async def _upload(self, origin: HttpSide) -> None:
        try:
            end = None
            while end is None:
                data, end = await self._runner.body()
                origin.send(*_events(data, end))
                await origin.stream.drain()
        except h11.RemoteProtocolError:
            origin.stream.abort("the runner's body is malformed")
        except Disconnected:
            # The origin disconnected: it may have answered early, and the download reads that answer. Or the runner
            # disconnected: then `Stream.ending` closes the origin's connection.
            return

    async def _download(self, origin: HttpSide) -> None:
        response = await self._head(origin)
        if response is None:
            return
        self._record.answered(response.status_code)
        events: list[h11.Event] = [
            h11.Response(
                status_code=response.status_code,
                headers=headers.for_runner(response),
                reason=response.reason,
            )
        ]
        large = headers.large_body(response, self._request.method)
        trailers, end = self._runner.state.their_http_version != b"1.0", None
        if large is None and origin.trailing and headers.has_length(response):
            # What came with the head leaves with it: each write wakes the runner.
            data, end = await origin.body()
            events += _events(data, end, trailers)
        self._runner.send(*events)
        self._answer_begun = True
        await self._runner.stream.drain()
        if large is not None:
            await self._pour(origin, large)
            return
        while end is None:
            data, end = await origin.body()
            self._runner.send(*_events(data, end, trailers))
            await self._runner.stream.drain()

    async def _pour(self, origin: HttpSide, count: int) -> None:
        """Forward a body of known length, which needs no parsing."""
        runner = self._runner
        held = origin.take_trailing()
        body, surplus = held[:count], held[count:]
        if body:
            runner.stream.write(body)
            await runner.stream.drain()
        if count > len(body):
            await origin.stream.pour(runner.stream, count - len(body), self._enforcer.splices)
        runner.sent_elsewhere(count)
        runner.send(h11.EndOfMessage())
        await runner.stream.drain()
        # h11 has not seen the body. The connection can be used again if the origin has not said that it closes.
        self._poured = not surplus and origin.state.our_state is h11.DONE

    async def _head(self, origin: HttpSide) -> h11.Response | None:
        """The head of the final response. None: the protocol was switched."""
        while not isinstance(event := await origin.event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise Disconnected("the origin closed the connection before it answered")
            self._switched = event.status_code == 101
            if self._switched or self._runner.state.their_http_version != b"1.0":
                self._runner.send(
                    h11.InformationalResponse(
                        status_code=event.status_code,
                        headers=headers.for_runner(event),
                        reason=event.reason,
                    )
                )
            if self._switched:
                self._record.answered(event.status_code)
                return None
        if event.status_code == 407:
            # The request is addressed to the gateway, not to the runner: it must not ask a runner for credentials.
            origin.stream.abort("proxy authentication")
            if not self._route.absolute:
                raise TargetUnreachable("unexpected_proxy_auth")
            if self._repeatable:
                # It may also be the origin's answer, which the proxy passed on.
                raise UpstreamFailed("credentials", doubtful=True)
            raise TargetUnreachable("upstream_refused")
        if self._route.absolute:
            self._enforcer.worked(self._route)
        return event

    def _rewrite(self, request: h11.Request, path: bytes) -> h11.Request:
        target, proxy = self._route.target, self._route.proxy
        fields = headers.for_origin(request, target.http_host, self._websocket)
        if proxy is not None and self._route.absolute:
            if request.method.upper() == b"TRACE":
                # Its answer repeats the request, with our login (RFC 9110, section 9.3.8).
                raise MalformedTarget("TRACE is not sent to a proxy")
            path = b"http://" + target.http_host.encode() + path
            fields += credentials(proxy)
        elif path == b"/" and request.method == b"OPTIONS" and not request.target.endswith(b"/"):
            path = b"*"  # RFC 9112, section 3.2.4
        return h11.Request(method=request.method, target=path, headers=fields)


def _upstream_fault(error: Disconnected | h11.RemoteProtocolError, origin: HttpSide) -> UpstreamFault:
    return "closed" if isinstance(error, Disconnected) or origin.ended else "protocol"


def _reason(error: Disconnected | h11.RemoteProtocolError, origin: HttpSide) -> UnreachableReason:
    """Why an origin's connection failed before it answered."""
    if isinstance(error, Disconnected):
        return "connection_reset"
    return "empty_response" if origin.ended else "invalid_response"


def _events(data: bytes, end: h11.EndOfMessage | None, trailers: bool = True) -> list[h11.Event]:
    events: list[h11.Event] = [h11.Data(data=data)] if data else []
    if end is not None:
        events.append(h11.EndOfMessage(headers=headers.for_trailers(end) if trailers else []))
    return events

"""One forwarded request and its response. What goes on is written anew from what was parsed."""

import asyncio

import h11

from pageworker_sandbox.egress import headers
from pageworker_sandbox.egress.errors import Disconnected, TargetUnreachable
from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.policy import Route
from pageworker_sandbox.egress.policy_enforcer import PolicyEnforcer
from pageworker_sandbox.egress.stream import IdleTimeout
from pageworker_sandbox.egress.target import parse_url
from pageworker_sandbox.egress.upstream import credentials


class _StaleConnection(Exception):
    """A kept connection had been closed by the origin before it saw the request: try another."""


async def forward(outlet: PolicyEnforcer, runner: HttpSide, request: h11.Request) -> bool:
    """Answer one request with its origin's response. True: the runner's connection can go on.

    Raises MalformedTarget, Refused, Unreachable while nothing has been answered, Disconnected afterwards.
    """
    target, path = parse_url(request.target)
    route = outlet.admit(target)
    exchange = Exchange(outlet, runner, request, route, path)
    kept = outlet.pool.take(route)
    if kept is not None:
        try:
            return await exchange.run(kept, kept=True)
        except _StaleConnection:
            pass
    stream = await outlet.open(route, tunnel=False)
    return await exchange.run(HttpSide(stream, h11.CLIENT, outlet.limits, outlet.pace), kept=False)


class Exchange:
    """State of one request on its way: has an answer begun, does the origin's connection stay."""

    def __init__(
        self, outlet: PolicyEnforcer, runner: HttpSide, request: h11.Request, route: Route, path: bytes
    ) -> None:
        self._outlet = outlet
        self._runner = runner
        self._route = route
        self._websocket = headers.wants_websocket(request)
        self._has_body = headers.has_body(request)
        self._request = self._rewrite(request, path)
        self._begun = False
        self._switched = False

    async def run(self, origin: HttpSide, kept: bool) -> bool:
        """Put the request to `origin`. Raises _StaleConnection only where `kept` and nothing is lost by it."""
        runner = self._runner.stream
        runner.dependent = origin.stream
        try:
            with IdleTimeout(runner, origin.stream, self._outlet.limits.silence_seconds) as silence:
                try:
                    await self._converse(origin)
                except (Disconnected, h11.RemoteProtocolError) as error:
                    origin.stream.abort("the exchange failed")
                    if self._begun:
                        # A clean close would look like the end of a response without a length.
                        runner.reset("the response was cut")
                        raise Disconnected(str(error)) from error
                    if kept and not self._has_body and not silence.broken and runner.open:
                        raise _StaleConnection from error
                    raise self._outlet.broken(self._route.target, silence.broken) from error
        finally:
            runner.dependent = None
        return await self._settle(origin)

    async def _settle(self, origin: HttpSide) -> bool:
        if self._switched:
            limits = self._outlet.limits
            origin.stream.write(self._runner.trailing)
            self._runner.stream.write(origin.trailing)
            await self._runner.stream.carry(origin.stream, limits.silence_seconds, limits.linger_seconds)
            return False
        if origin.next_cycle():
            self._outlet.pool.put(origin, self._route)
        else:
            origin.stream.abort("not fit to be used again")
        return self._runner.next_cycle()

    async def _converse(self, origin: HttpSide) -> None:
        if not self._has_body:
            origin.send(self._request, h11.EndOfMessage())
            await self._download(origin)
            return
        origin.send(self._request)
        # An origin may answer before it has the whole body, so both directions run at once.
        failure: Disconnected | h11.RemoteProtocolError | TargetUnreachable | None = None
        async with asyncio.TaskGroup() as group:
            upload = group.create_task(self._upload(origin))
            try:
                await self._download(origin)
            except (Disconnected, h11.RemoteProtocolError, TargetUnreachable) as error:
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
            # Of the origin: it may have answered early, which the download reads. Of the runner: it is
            # what `dependent` cuts the origin for.
            return

    async def _download(self, origin: HttpSide) -> None:
        response = await self._head(origin)
        if response is None:
            return
        self._runner.send(
            h11.Response(
                status_code=response.status_code,
                headers=headers.for_runner(response),
                reason=response.reason,
            )
        )
        self._begun = True
        end = None
        while end is None:
            data, end = await origin.body()
            self._runner.send(*_events(data, end, self._runner.state.their_http_version != b"1.0"))
            await self._runner.stream.drain()

    async def _head(self, origin: HttpSide) -> h11.Response | None:
        """The final response's head; None once the protocol was switched."""
        while not isinstance(event := await origin.event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise Disconnected("the origin closed before it answered")
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
                return None
        if event.status_code == 407:
            # Ours to answer, if at all: the runner must not be asked for a proxy's credentials.
            origin.stream.abort("proxy authentication")
            raise TargetUnreachable("upstream_refused")
        return event

    def _rewrite(self, request: h11.Request, path: bytes) -> h11.Request:
        target, proxy = self._route.target, self._route.proxy
        fields = headers.for_origin(request, target.http_host, self._websocket)
        if proxy is not None and self._route.absolute:
            path = b"http://" + target.http_host.encode() + path
            fields += credentials(proxy)
        elif path == b"/" and request.method == b"OPTIONS" and not request.target.endswith(b"/"):
            path = b"*"  # RFC 9112, section 3.2.4
        return h11.Request(method=request.method, target=path, headers=fields)


def _events(data: bytes, end: h11.EndOfMessage | None, trailers: bool = True) -> list[h11.Event]:
    events: list[h11.Event] = [h11.Data(data=data)] if data else []
    if end is not None:
        events.append(h11.EndOfMessage(headers=headers.for_trailers(end) if trailers else []))
    return events

"""Who looks at the status page: sign-in with an access token, a cookie for the session, or an open page on loopback."""

import time
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import Request

from pageworker_supervisor.admin.allowed_hosts import host_allowed
from pageworker_supervisor.api.grant import READ, TOKEN, ApiGrant
from pageworker_supervisor.api.known_credentials import KnownCredentials
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.status_page.layout import PageVisitor
from pageworker_supervisor.api.token_buckets import TokenBuckets

COOKIE = "__Host-pageworker-status"
"""The prefix keeps other hosts and subdomains from setting it (RFC 6265bis, section 4.1.3)."""
FAILURES_PER_SECOND = 0.5
FAILURES_BURST = 20
"""Wrong tokens and sessions of one address."""
REQUESTS_PER_SECOND = 10.0
REQUESTS_BURST = 100
"""Of one token. They do not count as requests to the API."""
OPEN = "open"
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""A proxy adds them: its visitors are not on this host."""
LONGEST_FORM = 1024


class SessionReader(Protocol):
    """Begins sessions, and looks them up."""

    async def begin_session(self, untrusted_token: str, seconds: float) -> tuple[ApiGrant, str] | None:
        """What the token permits, and the text of a new session. None: no such token. Raises RedisClientError."""

    async def session(self, untrusted_session: str) -> ApiGrant | None:
        """What a session permits. None: it is unknown, or has ended. Raises RedisClientError."""


class VisitorRules(Struct, frozen=True):
    """`open_on_loopback`: a visitor without a session sees the fleet, if the request came over loopback and names one
    of `allowed_hosts`, an address or localhost."""

    session_seconds: float
    open_on_loopback: bool
    allowed_hosts: tuple[str, ...] = ()


class SignInRefused(Exception):
    """The form was not valid, or the token permits no look. The text is for the visitor."""


class Visitors:
    """Finds out who sends a request."""

    def __init__(self, reader: SessionReader, calls: RedisCalls, rules: VisitorRules) -> None:
        self._reader = reader
        self._calls = calls
        self._rules = rules
        self._known = KnownCredentials(FAILURES_PER_SECOND, FAILURES_BURST)
        self._buckets = TokenBuckets(REQUESTS_PER_SECOND, REQUESTS_BURST)

    async def visitor(self, request: Request) -> PageVisitor | None:
        """Who sends this request; None: sign-in is needed. Raises ApiProblem."""
        grant = await self._signed_in(request)
        if grant is not None:
            visitor = PageVisitor(grant.tenant_id, grant.token_id)
        elif self._rules.open_on_loopback and is_open(request.headers, peer_of(request), self._rules.allowed_hosts):
            visitor = PageVisitor(None, OPEN, signed_in=False)
        else:
            return None
        state = self._buckets.take(visitor.token_id, time.monotonic())
        if not state.allowed:
            raise ApiProblem("rate_limited", "Too many pages are read with this token", retry_after=state.wait_seconds)
        return visitor

    async def sign_in(self, request: Request, untrusted_form: bytes) -> str:
        """The text of a new session. Raises SignInRefused, ApiProblem."""
        token = token_of_form(untrusted_form)
        if token is None:
            raise SignInRefused("That is no access token: it begins with pw_.")
        seconds = self._rules.session_seconds
        begun = await self._known.look_up(
            token, peer_of(request), lambda: self._calls.run(self._reader.begin_session(token, seconds))
        )
        if begun is None:
            raise SignInRefused("The token is unknown, expired or revoked.")
        grant, session = begun
        if not grant.scopes & READ:
            raise SignInRefused(f"The status page needs a token with one of the scopes {', '.join(sorted(READ))}.")
        self._known.remember(session)
        return session

    async def _signed_in(self, request: Request) -> ApiGrant | None:
        session = request.cookies.get(COOKIE)
        if session is None:
            return None
        grant = await self._known.look_up(
            session, peer_of(request), lambda: self._calls.run(self._reader.session(session))
        )
        return grant if grant is not None and grant.scopes & READ else None


def peer_of(request: Request) -> str:
    """The address that the request came from."""
    return request.client.host if request.client else ""


def is_open(headers: Headers, peer: str, allowed_hosts: Sequence[str]) -> bool:
    """Whether a request came from this host itself, from no page of a foreign site, and through no proxy."""
    local = peer == "::1" or peer.startswith("127.")
    proxied = any(name in headers for name in FORWARDED)
    # Another site may link to the page. It may not put it, or images of it, into its own pages.
    sites, use = ("cross-site", "same-site"), headers.get("sec-fetch-dest")
    foreign = headers.get("sec-fetch-site") in sites and use != "document"
    return local and not proxied and not foreign and host_allowed(headers.get("host"), allowed_hosts)


def comes_from_this_page(headers: Headers) -> bool:
    """Whether a form was sent by a page of this host: the defence against forms of other sites.

    All browsers send `Origin` with a POST. The scheme is not compared: a proxy may speak TLS before the API.
    """
    site = headers.get("sec-fetch-site")
    origin = urlsplit(headers.get("origin", ""))
    return origin.netloc != "" and origin.netloc == headers.get("host") and site in (None, "same-origin")


def token_of_form(untrusted_form: bytes) -> str | None:
    """The token in the body of the form; None: there is none of the right form."""
    try:
        fields = dict(parse_qsl(untrusted_form.decode("ascii"), max_num_fields=4))
    except ValueError:
        return None
    token = fields.get("token", "").strip()
    return token if TOKEN.fullmatch(token) else None

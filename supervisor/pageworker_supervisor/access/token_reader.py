"""Tells what a token permits. Redis has only the SHA-256 of each token."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pageworker_supervisor.access.grant import TokenGrant
from pageworker_supervisor.access.session_text import make_session, parse_session
from pageworker_supervisor.access.token_text import parse_token
from pageworker_supervisor.queue.access_tokens import AccessTokens, CheckedToken

CACHE_SECONDS = 3.0
"""A revoked token may be accepted for this time."""
MOST_CACHED = 10_000

_ABSENT = CheckedToken(tenant_id=None, scopes=frozenset(), digest="0" * 64, expires_at=None, revoked=True)
"""Compared for an id that does not exist, so that its answer takes as long as that for a wrong secret."""


@dataclass(frozen=True)
class _Read:
    token: CheckedToken | None
    at: float


class TokenReader:
    """Reads tokens, each at most once in `cache_seconds`.

    `clock`: seconds since the epoch, to compare with the end of a token. `monotonic`: for the cache.
    """

    def __init__(
        self,
        tokens: AccessTokens,
        cache_seconds: float = CACHE_SECONDS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._monotonic = monotonic
        # Apart, so that made-up ids cannot remove the ids of real tokens.
        self._present: OrderedDict[str, _Read] = OrderedDict()
        self._absent: OrderedDict[str, _Read] = OrderedDict()

    async def grant(self, untrusted_token: str) -> TokenGrant | None:
        """What the token permits; None: it is unknown, wrong, expired or revoked. Raises RedisClientError.

        The answer does not depend on the secret in its time: digests are compared in constant time.
        """
        parsed = parse_token(untrusted_token)
        if parsed is None:
            return None
        stored = await self._find(parsed.token_id) or _ABSENT
        same = hmac.compare_digest(parsed.digest, stored.digest)
        if not same or stored.revoked or (stored.expires_at is not None and stored.expires_at <= self._clock()):
            return None
        return TokenGrant(stored.tenant_id, stored.scopes, parsed.token_id, stored.expires_at)

    async def begin_session(self, untrusted_token: str, seconds: float) -> tuple[TokenGrant, str] | None:
        """What the token permits, and a new session that lasts `seconds`, but not longer than the token.

        None: as for `grant`. Raises RedisClientError.
        """
        grant, parsed = await self.grant(untrusted_token), parse_token(untrusted_token)
        if grant is None or parsed is None:
            return None
        ends_at = self._clock() + seconds
        if grant.expires_at is not None:
            ends_at = min(ends_at, grant.expires_at)
        return grant, make_session(parsed.token_id, parsed.digest, int(ends_at))

    async def session(self, untrusted_session: str) -> TokenGrant | None:
        """What the token of a session permits; None: the session or the token is unknown, or has ended.

        Raises RedisClientError.
        """
        parsed = parse_session(untrusted_session)
        if parsed is None:
            return None
        stored = await self._find(parsed.token_id) or _ABSENT
        same, now = parsed.made_under(stored.digest), self._clock()
        if not same or stored.revoked or parsed.ends_at <= now:
            return None
        if stored.expires_at is not None and stored.expires_at <= now:
            return None
        return TokenGrant(stored.tenant_id, stored.scopes, parsed.token_id, stored.expires_at)

    async def _find(self, token_id: str) -> CheckedToken | None:
        known = self._present.get(token_id) or self._absent.get(token_id)
        if known is not None and self._monotonic() - known.at < self._cache_seconds:
            return known.token
        # Before the read: what is revoked from here on counts from the next read.
        asked_at = self._monotonic()
        token = await self._tokens.find(token_id)
        self._present.pop(token_id, None)
        self._absent.pop(token_id, None)
        cache = self._absent if token is None else self._present
        cache[token_id] = _Read(token, asked_at)
        if len(cache) > MOST_CACHED:
            cache.popitem(last=False)
        return token

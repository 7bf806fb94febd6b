"""Makes, lists, rotates and revokes access tokens."""

from collections.abc import Iterable
from dataclasses import dataclass

from pageworker_supervisor.access.errors import AccessTokenRefused
from pageworker_supervisor.access.grant import checked_scopes
from pageworker_supervisor.access.token_text import is_token_id, make_token
from pageworker_supervisor.queue.access_tokens import AccessTokenRow, AccessTokens

MOST_LABEL = 100
LONGEST_SECONDS = 10 * 366 * 86_400.0


@dataclass(frozen=True)
class NewToken:
    """A token that was just made. `text` is stored nowhere: show it once."""

    token_id: str
    text: str

    def __repr__(self) -> str:
        return f"NewToken({self.token_id})"


class TokenAdmin:
    """Changes the tokens of one prefix. `tenant_id` None: those of the fleet.

    All methods raise RedisClientError, and AccessTokenRefused where nothing may change.
    """

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def create(
        self, tenant_id: str | None, scopes: Iterable[str], lifetime_seconds: float | None = None, label: str = ""
    ) -> NewToken:
        """Make a token. `lifetime_seconds` None: it has no end."""
        checked = checked_scopes(scopes)
        if len(label) > MOST_LABEL or not label.isprintable():
            raise AccessTokenRefused("the label is not valid", f"Use at most {MOST_LABEL} printable characters.")
        lifetime_ms = 0
        if lifetime_seconds is not None:
            lifetime_ms = _milliseconds("the lifetime", lifetime_seconds)
            if lifetime_ms == 0:
                raise AccessTokenRefused("the lifetime is 0", "Leave it out for a token without end.")
        text, new = make_token()
        if await self._tokens.add(new.token_id, tenant_id, checked, new.digest, label, lifetime_ms) == "full":
            raise _full(tenant_id)
        return NewToken(new.token_id, text)

    async def list(self, tenant_id: str | None) -> list[AccessTokenRow]:
        """The tenant's tokens, the oldest first; dead ones for a week after their end."""
        return await self._tokens.of(tenant_id)

    async def rotate(self, tenant_id: str | None, token_id: str | None, overlap_seconds: float) -> NewToken:
        """Make a token with the scopes, label and lifetime of another, which ends after `overlap_seconds`.

        `token_id` None: the one active token of the tenant.
        """
        overlap_ms = _milliseconds("the overlap", overlap_seconds)
        replaced = await self._only_active(tenant_id) if token_id is None else token_id
        text, new = make_token()
        reply = "unknown"
        if is_token_id(replaced):
            reply = await self._tokens.rotate(new.token_id, new.digest, tenant_id, replaced, overlap_ms)
        match reply:
            case "unknown":
                raise _unknown(tenant_id, replaced)
            case "rotated":
                raise AccessTokenRefused(
                    f"token {replaced} was replaced before", "Rotate the token that replaced it, or make a new one."
                )
            case "full":
                raise _full(tenant_id)
        return NewToken(new.token_id, text)

    async def revoke(self, tenant_id: str | None, token_id: str) -> None:
        """End a token now. Readers accept it for CACHE_SECONDS of token_reader.py at most."""
        if not is_token_id(token_id) or not await self._tokens.revoke(token_id, tenant_id):
            raise _unknown(tenant_id, token_id)

    async def _only_active(self, tenant_id: str | None) -> str:
        active = [row.token_id for row in await self._tokens.of(tenant_id) if row.state == "active"]
        if not active:
            raise AccessTokenRefused(f"{_owner(tenant_id)} has no active token", "Make one.")
        if len(active) > 1:
            mend = f"Name the one to replace: {', '.join(active)}."
            raise AccessTokenRefused(f"{_owner(tenant_id)} has {len(active)} active tokens", mend)
        return active[0]


def _milliseconds(what: str, seconds: float) -> int:
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise AccessTokenRefused(f"{what} is out of range", f"It is from 0 to {LONGEST_SECONDS:.0f} seconds.")
    return round(seconds * 1000)


def _owner(tenant_id: str | None) -> str:
    return "the fleet" if tenant_id is None else f"tenant {tenant_id}"


def _full(tenant_id: str | None) -> AccessTokenRefused:
    return AccessTokenRefused(f"{_owner(tenant_id)} has as many tokens as it may have", "Revoke one that is not used.")


def _unknown(tenant_id: str | None, token_id: str) -> AccessTokenRefused:
    shown = token_id if is_token_id(token_id) else "with this id"
    return AccessTokenRefused(f"{_owner(tenant_id)} has no valid token {shown}", "List its tokens.")

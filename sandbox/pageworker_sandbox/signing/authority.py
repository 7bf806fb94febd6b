"""Decides whether the keys that signed a bundle may let a tenant run it from a channel. Pure.

Who may run a module is the intersection of three: the `tenants` of its manifest, the scopes of the keys that signed it
(this file), and the operator's list per tenant. The scopes are asked again at each use, so that a key that is revoked
or expires stops its modules at once, those in memory too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pageworker_sandbox.signing.errors import (
    BundleExpired,
    ChannelOutOfScope,
    ModuleOutOfScope,
    SignaturesMissing,
    TenantOutOfScope,
    Untrusted,
)
from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.key_scope import SignatureRule, TrustedKey, matches
from pageworker_sandbox.signing.trust import TrustStore


@dataclass(frozen=True)
class SignedVersion:
    """A version whose bytes are verified. `signers`: the ids of the keys whose signatures are. `sha256` is hex."""

    name: str
    version: str
    sha256: str
    signers: tuple[bytes, ...]
    expires: datetime | None = None


def check_authority(
    signed: SignedVersion,
    trust: TrustStore,
    now: datetime | None = None,
    *,
    tenant_id: str | None = None,
    channel: str | None = None,
) -> tuple[TrustedKey, ...]:
    """The keys that let the tenant run the version from the channel. None: whatever tenant; by its version.

    `now`: by default, the time of this host. Raises KeyRevoked, KeyExpired, UntrustedKey, ModuleOutOfScope,
    SignaturesMissing, TenantOutOfScope, ChannelOutOfScope, BundleExpired.
    """
    now = now or datetime.now(UTC)
    what = f"{signed.name} {signed.version} (sha256 {signed.sha256})"
    live = _live(signed, trust, now)
    allowed = [key for key in live if matches(signed.name, key.scope.modules)]
    if not allowed:
        raise ModuleOutOfScope(f"{what} is signed with {_scopes(live)}: not for this module")
    rules = [rule for rule in trust.rules if matches(signed.name, rule.modules)]
    if (broken := _broken(rules, allowed)) is not None:
        having = ", ".join(key.name for key in broken.counted(allowed)) or "none of them"
        raise SignaturesMissing(
            f"{what} needs signatures by {broken.signatures} keys{_of(broken, trust)}, and it has {having}"
        )
    if tenant_id is not None:
        before = allowed
        allowed = [key for key in allowed if matches(tenant_id, key.scope.tenants)]
        if not allowed or _broken(rules, allowed) is not None:
            raise TenantOutOfScope(f"{what} is signed with {_scopes(before)}: not for tenant {tenant_id}")
    if channel is not None:
        before = allowed
        allowed = [key for key in allowed if matches(channel, key.scope.channels)]
        if not allowed or _broken(rules, allowed) is not None:
            raise ChannelOutOfScope(f"{what} is signed with {_scopes(before)}: not for channel {channel}")
    if signed.expires is not None and now >= signed.expires:
        raise BundleExpired(f"{what} expired at {instant_text(signed.expires)}, as its module.toml says")
    return tuple(allowed)


def _live(signed: SignedVersion, trust: TrustStore, now: datetime) -> list[TrustedKey]:
    """The signers that count now. Raises the error of the first one if there is none."""
    live, refused = [], None
    for key_id in signed.signers:
        try:
            live.append(trust.usable(key_id, now))
        except Untrusted as error:
            refused = refused or error
    if refused is not None and not live:
        raise type(refused)(f"{signed.name} {signed.version} (sha256 {signed.sha256}) is {refused}", refused.mend)
    return live


def _broken(rules: Iterable[SignatureRule], keys: Iterable[TrustedKey]) -> SignatureRule | None:
    keys = tuple(keys)
    return next((rule for rule in rules if len(rule.counted(keys)) < rule.signatures), None)


def _of(rule: SignatureRule, trust: TrustStore) -> str:
    if rule.key_ids is None:
        return ""
    return " of " + ", ".join(key.name for key in trust.trusted if key.public.id in rule.key_ids)


def _scopes(keys: Iterable[TrustedKey]) -> str:
    return ", ".join(f"key {key.name} ({key.scope.text()})" for key in keys) or "no key"

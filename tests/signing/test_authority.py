"""Who may run a version: the scopes of the keys that signed it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pageworker_sandbox.signing import (
    BundleExpired,
    ChannelOutOfScope,
    KeyExpired,
    KeyRevoked,
    KeyScope,
    ModuleOutOfScope,
    Revocation,
    SecretKey,
    SignatureRule,
    SignaturesMissing,
    SignedVersion,
    TenantOutOfScope,
    TrustedKey,
    TrustStore,
    UntrustedKey,
    check_authority,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
A, B, C = (SecretKey.new().public for _ in range(3))
DIGEST = "5" * 64


def version(*signers: bytes, expires: datetime | None = None) -> SignedVersion:
    return SignedVersion("shop.product", "1.4.2", DIGEST, signers, expires)


def store(a: KeyScope, b: KeyScope = KeyScope(), rules: Sequence[SignatureRule] = ()) -> TrustStore:
    return TrustStore([TrustedKey(A, a, "a"), TrustedKey(B, b, "b")], rules=rules)


TWO_OF_TWO = [SignatureRule(("shop.*",), 2, frozenset([A.id, B.id]))]
FULL = KeyScope()


@pytest.mark.parametrize(
    ("trust", "signers", "tenant", "channel", "error"),
    [
        (store(FULL), (A.id,), "acme", "stable", None),
        (store(KeyScope(modules=("shop.*",))), (A.id,), "acme", "stable", None),
        (store(KeyScope(modules=("pay.*",))), (A.id,), "acme", "stable", ModuleOutOfScope),
        (store(KeyScope(modules=("pay.*",))), (A.id, B.id), "acme", "stable", None),
        (store(KeyScope(tenants=("acme-*",))), (A.id,), "acme-1", None, None),
        (store(KeyScope(tenants=("acme-*",))), (A.id,), "acme", None, TenantOutOfScope),
        (store(KeyScope(channels=("canary",))), (A.id,), "acme", "canary", None),
        (store(KeyScope(channels=("canary",))), (A.id,), "acme", None, None),
        (store(KeyScope(channels=("canary",))), (A.id,), "acme", "stable", ChannelOutOfScope),
        # One key is for the tenant, the other for the channel: neither is for both.
        (
            store(KeyScope(tenants=("acme",), channels=("canary",)), KeyScope(tenants=("other",))),
            (A.id, B.id),
            "acme",
            "stable",
            ChannelOutOfScope,
        ),
        (store(KeyScope(not_after=NOW)), (A.id,), None, None, KeyExpired),
        (store(KeyScope(not_after=LATER)), (A.id,), None, None, None),
        (store(KeyScope(not_after=NOW)), (A.id, B.id), None, None, None),
        (store(FULL), (C.id,), None, None, UntrustedKey),
        (store(FULL, FULL, TWO_OF_TWO), (A.id,), None, None, SignaturesMissing),
        (store(FULL, FULL, TWO_OF_TWO), (A.id, A.id), None, None, SignaturesMissing),
        (store(FULL, FULL, TWO_OF_TWO), (A.id, C.id), None, None, SignaturesMissing),
        (store(FULL, FULL, TWO_OF_TWO), (A.id, B.id), "acme", "stable", None),
        (store(FULL, KeyScope(not_after=NOW), TWO_OF_TWO), (A.id, B.id), None, None, SignaturesMissing),
        (store(FULL, KeyScope(modules=("pay",)), TWO_OF_TWO), (A.id, B.id), None, None, SignaturesMissing),
        (store(FULL, KeyScope(tenants=("b",)), TWO_OF_TWO), (A.id, B.id), "acme", None, TenantOutOfScope),
        (store(FULL, KeyScope(channels=("b",)), TWO_OF_TWO), (A.id, B.id), "acme", "stable", ChannelOutOfScope),
        (store(FULL, FULL, [SignatureRule(("pay.*",), 2)]), (A.id,), None, None, None),
        (store(FULL, FULL, [SignatureRule(("*",), 1, frozenset([B.id]))]), (A.id,), None, None, SignaturesMissing),
        (store(FULL), (), None, None, ModuleOutOfScope),
    ],
)
def test_the_table(
    trust: TrustStore,
    signers: tuple[bytes, ...],
    tenant: str | None,
    channel: str | None,
    error: type[Exception] | None,
) -> None:
    def check() -> None:
        check_authority(version(*dict.fromkeys(signers)), trust, NOW, tenant_id=tenant, channel=channel)

    if error is None:
        check()
        return
    with pytest.raises(error) as refused:
        check()
    assert type(refused.value) is error


def test_an_error_names_key_digest_scope_expiry_and_who_mends_it() -> None:
    scope = KeyScope(("shop.*",), ("secret-tenant",), ("canary",), not_after=LATER)
    with pytest.raises(ChannelOutOfScope) as refused:
        check_authority(version(A.id), store(scope), NOW, channel="stable")
    told = str(refused.value)
    assert all(part in told for part in (f"{A.name} (a)", DIGEST, "channels canary", "2026-12-28", "channel stable"))
    assert "the owner of a key for this channel" in refused.value.mend
    assert "the operator" in refused.value.mend
    with pytest.raises(TenantOutOfScope) as foreign:
        check_authority(version(A.id), store(scope), NOW, tenant_id="acme")
    assert "secret-tenant" not in str(foreign.value), "a result must not show other tenants"


def test_a_revoked_key_does_not_count_whatever_the_date() -> None:
    revoked = {A.id: Revocation(LATER, "the laptop was stolen")}
    trust = TrustStore([A, B], revoked)
    with pytest.raises(KeyRevoked, match=rf"{DIGEST}.*{A.name}, which was revoked .*: the laptop was stolen"):
        check_authority(version(A.id), trust, NOW)
    assert [key.public for key in check_authority(version(A.id, B.id), trust, NOW)] == [B]


def test_a_version_expires() -> None:
    with pytest.raises(BundleExpired, match=r"expired at 2026-11-28T00:00:00Z"):
        check_authority(version(A.id, expires=NOW), store(FULL), NOW)
    check_authority(version(A.id, expires=LATER), store(FULL), NOW)

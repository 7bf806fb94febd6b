"""Signed blocker rules: signature, age, content, and which keys may sign them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pw_modules.author import Author

from pageworker_sandbox.blockers.rules import decode_rules, released_rules
from pageworker_sandbox.signing import (
    BadSignature,
    Index,
    KeyExpired,
    KeyRevoked,
    KeyScope,
    Revocation,
    TrustedKey,
    TrustStore,
    UntrustedKey,
    sign_index,
)
from pageworker_sandbox.signing.blocker_rules import UntrustedRules, renewed_rules, sign_rules, verify_rules
from pageworker_sandbox.signing.errors import RulesExpired, RulesMalformed, RulesOutOfScope, RulesRolledBack

AUTHOR, OTHER = Author(), Author()
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ENDS = NOW + timedelta(days=1)
RULE = {"kind": "captcha", "provider": "ours", "signs": [{"sign": "title", "any_of": ["halt"], "weight": 1.0}]}


def file(**given: Any) -> bytes:
    return json.dumps({"version": "7", "serial": 7, "expires": ENDS.isoformat(), "rules": [RULE], **given}).encode()


def signed(data: bytes, author: Author = AUTHOR) -> UntrustedRules:
    return UntrustedRules(data, sign_rules(data, author.key))


SIGNED = signed(file())


def scoped(**scope: Any) -> TrustStore:
    return TrustStore([TrustedKey(AUTHOR.key.public, KeyScope(**scope))])


def test_signed_rules_are_read() -> None:
    verified = verify_rules(SIGNED, AUTHOR.trust, NOW, highest_serial=7)
    assert (verified.rules.serial, verified.expires, verified.data) == (7, ENDS, SIGNED.data)
    assert verified.key_id == AUTHOR.key.public.id
    assert verify_rules(SIGNED, scoped(modules=()), NOW).rules.version == "7"


@pytest.mark.parametrize(
    ("untrusted", "error"),
    [
        (UntrustedRules(SIGNED.data + b" ", SIGNED.signature), BadSignature),
        (UntrustedRules(file(version="8"), SIGNED.signature), BadSignature),
        (UntrustedRules(SIGNED.data, b""), BadSignature),
        (UntrustedRules(SIGNED.data, b"x" * 100_000), BadSignature),
        (signed(file(), OTHER), UntrustedKey),
        (UntrustedRules(b" " * 200_000, SIGNED.signature), RulesMalformed),
    ],
)
def test_what_no_trusted_key_signed_is_refused(untrusted: UntrustedRules, error: type[Exception]) -> None:
    with pytest.raises(error):
        verify_rules(untrusted, AUTHOR.trust, NOW)


def test_the_signature_of_an_index_is_none_of_rules() -> None:
    index = sign_index(Index(serial=9, expires=ENDS), AUTHOR.key)
    with pytest.raises(BadSignature, match="not the signature of blocker rules"):
        verify_rules(UntrustedRules(index.data, index.signature), AUTHOR.trust, NOW)


def test_age() -> None:
    with pytest.raises(RulesRolledBack, match="7 are older than 8"):
        verify_rules(SIGNED, AUTHOR.trust, NOW, highest_serial=8)
    verify_rules(SIGNED, AUTHOR.trust, ENDS - timedelta(microseconds=1))
    with pytest.raises(RulesExpired, match="2030-01-02"):
        verify_rules(SIGNED, AUTHOR.trust, ENDS)


@pytest.mark.parametrize(
    ("trust", "error"),
    [
        (scoped(may_rules=False), RulesOutOfScope),
        (scoped(not_after=NOW), KeyExpired),
        (TrustStore([AUTHOR.key.public], {AUTHOR.key.public.id: Revocation(NOW, "stolen")}), KeyRevoked),
        (TrustStore(), UntrustedKey),
    ],
)
def test_a_key_that_may_not_sign_rules(trust: TrustStore, error: type[Exception]) -> None:
    with pytest.raises(error):
        verify_rules(SIGNED, trust, NOW)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (file(serial=0), "a `serial` from 1 on"),
        (file(expires=None), "an `expires`"),
        (file(rules=[{**RULE, "kind": "annoyance"}]), "$.rules[0].kind"),
        (file(expires="0001-01-01T00:00:00+23:00"), "outside of the years"),
        (b"{", "truncated"),
    ],
)
def test_rules_with_a_mistake_are_not_signed(data: bytes, told: str) -> None:
    with pytest.raises(RulesMalformed) as refused:
        sign_rules(data, AUTHOR.key)
    assert told in str(refused.value)


def test_a_renewed_file_has_a_higher_serial() -> None:
    first = signed(renewed_rules(released_rules(), NOW, ENDS))
    serial = verify_rules(first, AUTHOR.trust, NOW).rules.serial
    assert serial == int(NOW.timestamp())
    second = signed(renewed_rules(first.data, NOW, ENDS))
    assert verify_rules(second, AUTHOR.trust, NOW, serial).rules.serial == serial + 1
    assert decode_rules(second.data).rules == decode_rules(released_rules()).rules

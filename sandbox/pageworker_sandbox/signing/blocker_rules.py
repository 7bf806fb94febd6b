"""Verifies and signs blocker rules of an operator's own. Order of the checks: size, signature, comment, JSON, serial,
expiry.

The signature is that of `FILE.minisig` beside the file. Its trusted comment says that it is one of rules, so that the
signature of a module or of an index is never one of rules, and the other way round.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pageworker_sandbox.blockers.rules import MAX_FILE_BYTES, BlockerRules, BlockerRulesInvalid, decode_rules
from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.errors import BadSignature, RulesExpired, RulesMalformed, RulesRolledBack
from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.keys import Signer
from pageworker_sandbox.signing.trust import TrustStore


@dataclass(frozen=True)
class UntrustedRules:
    """The bytes of a file of rules and of its signature, not verified."""

    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True)
class VerifiedRules:
    """Rules that a trusted key signed. `data`: the bytes of the file. `expires` is that of the file."""

    rules: BlockerRules
    expires: datetime
    data: bytes = field(repr=False)
    key_id: bytes


def verify_rules(
    untrusted: UntrustedRules, trust: TrustStore, now: datetime | None = None, highest_serial: int = 0
) -> VerifiedRules:
    """Verify signature, serial and expiry. `now`: by default, the time of this host, for the key alone.

    Raises BadSignature, UntrustedKey, KeyRevoked, KeyExpired, RulesOutOfScope, RulesMalformed, RulesRolledBack,
    RulesExpired.
    """
    verified = authenticate_rules(untrusted, trust, now)
    serial = verified.rules.serial
    if serial < highest_serial:
        raise RulesRolledBack(f"blocker rules {serial} are older than {highest_serial}, which were accepted before")
    if now is not None and now >= verified.expires:
        raise RulesExpired(f"blocker rules {serial} expired at {instant_text(verified.expires)}")
    return verified


def authenticate_rules(untrusted: UntrustedRules, trust: TrustStore, now: datetime | None = None) -> VerifiedRules:
    """Verify the signature alone, not serial and expiry: of rules that were accepted before. Raises as
    `verify_rules`."""
    if len(untrusted.data) > MAX_FILE_BYTES:
        raise RulesMalformed(f"a file of blocker rules has at most {MAX_FILE_BYTES} bytes")
    signature = minisig.parse(untrusted.signature)
    comment = minisig.check(signature, untrusted.data, trust.rules_key(signature.key_id, now))
    if not comment.startswith("blocker-rules "):
        raise BadSignature("this is not the signature of blocker rules")
    rules, expires = _decoded(untrusted.data)
    if comment != _comment(rules.serial, expires, untrusted.data):
        raise BadSignature("the trusted comment is for other blocker rules than these")
    return VerifiedRules(rules, expires, untrusted.data, signature.key_id)


def renewed_rules(data: bytes, now: datetime, expires: datetime) -> bytes:
    """The file with a higher serial, at least the time in seconds, and a new expiry. Raises RulesMalformed."""
    rules = _rules_in(data)
    serial = max(rules.serial + 1, int(now.timestamp()))
    given = msgspec.json.decode(data)
    head = {"version": rules.version, "serial": serial, "expires": instant_text(expires)}
    return msgspec.json.format(msgspec.json.encode({**head, "rules": given["rules"]}), indent=1) + b"\n"


def sign_rules(data: bytes, key: Signer) -> bytes:
    """The text of `FILE.minisig` for the bytes of a file. Raises RulesMalformed."""
    rules, expires = _decoded(data)
    return minisig.sign(data, key, _comment(rules.serial, expires, data))


def _rules_in(data: bytes) -> BlockerRules:
    try:
        return decode_rules(data)
    except BlockerRulesInvalid as invalid:
        raise RulesMalformed(str(invalid)) from invalid


def _decoded(data: bytes) -> tuple[BlockerRules, datetime]:
    rules = _rules_in(data)
    if rules.serial == 0 or rules.expires is None:
        raise RulesMalformed("blocker rules that are signed need a `serial` from 1 on, and an `expires`")
    return rules, rules.expires


def _comment(serial: int, expires: datetime, data: bytes) -> str:
    try:
        ends = instant_text(expires)
    except OverflowError as error:  # with its offset, the instant is before year 1 or after year 9999 in UTC
        raise RulesMalformed("`expires` is outside of the years 1 to 9999") from error
    return f"blocker-rules serial:{serial} expires:{ends} sha256:{hashlib.sha256(data).hexdigest()}"

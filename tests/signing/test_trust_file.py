"""The trust file: what it says, and every mistake in it."""

from datetime import UTC, datetime

import pytest

from pageworker_sandbox.signing import (
    KeyScope,
    Revocation,
    SecretKey,
    SignatureRule,
    TrustedKey,
    TrustFile,
    TrustFileInvalid,
    parse_public,
    parse_trust_file,
)
from pageworker_sandbox.signing.trust_file import TABLES, key_id_of

ONE, TWO = SecretKey.new().public, SecretKey.new().public
SOON = datetime(2027, 1, 1, tzinfo=UTC)


def parsed(text: str) -> TrustFile:
    return parse_trust_file(text, parse_public)


def mistakes(text: str) -> dict[str, str]:
    with pytest.raises(TrustFileInvalid) as invalid:
        parsed(text)
    return {mistake.key: mistake.found for mistake in invalid.value.mistakes}


FULL = f"""
[[key]]
name = "one"
key = "{ONE.line()}"
modules = ["shop.*"]
tenants = ["acme-*"]
channels = ["canary"]
may_index = true
not_after = 2027-01-01T00:00:00Z

[[key]]
key = "{TWO.line()}"

[[scope]]
modules = ["pay.*"]
signatures = 2
keys = ["one", "{TWO.name.lower()}"]

[[scope]]
modules = ["x"]
signatures = 1

[[revoked]]
id = "{TWO.name}"
at = 2027-01-01T00:00:00Z
reason = "lost"
"""


def test_a_whole_file() -> None:
    scope = KeyScope(("shop.*",), ("acme-*",), ("canary",), True, SOON, False)
    both = frozenset([ONE.id, TWO.id])
    assert parsed(FULL) == TrustFile(
        (TrustedKey(ONE, scope, "one"), TrustedKey(TWO, KeyScope(may_index=False, may_rules=False))),
        ((TWO.id, Revocation(SOON, "lost")),),
        (SignatureRule(("pay.*",), 2, both), SignatureRule(("x",), 1)),
    )


def test_a_key_for_rules_alone() -> None:
    entry = parsed(f'[[key]]\nkey = "{ONE.line()}"\nmodules = []\nmay_rules = true\n').keys[0]
    assert entry.scope == KeyScope(modules=(), may_index=False, may_rules=True)


def test_an_empty_file_trusts_no_key() -> None:
    assert parsed("") == TrustFile()


def test_the_file_counts_for_a_key_that_the_settings_name_too() -> None:
    store = parsed(FULL).store([ONE, TWO, SecretKey.new().public])
    assert store.trusted[0].label == "one"
    assert len(store.keys) == 3
    assert store.trusted[2].scope == KeyScope()


def test_every_mistake_is_listed() -> None:
    told = mistakes(
        """
    kee = 1
    [[key]]
    name = "a b"
    key = 1
    modules = ["Shop"]
    tenants = "acme"
    channels = []
    may_index = 1
    may_rules = "yes"
    not_after = 2027-01-01
    until = 1
    [[key]]
    [[scope]]
    modules = [1]
    signatures = 0
    keys = "one"
    [[revoked]]
    id = "12"
    at = "yesterday"
    reason = "a\\nb"
    """
    )
    first = {f"{table}[1].{key}" for table, rules in TABLES.items() for key in rules}
    assert set(told) == {*first, "kee", "key[1].until", "key[2].key"}


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("[[key]]\nkey = 'RW'", "key[1].key", "not a minisign public key"),
        ("key = 1", "key", "no list of tables"),
        ("[key]\nkey = 'x'", "key", "no list of tables"),
        (f"[[key]]\nkey = '{ONE.line()}'\n" * 2, "key", "in 2 entries"),
        (f"[[key]]\nname = 'a'\nkey = '{ONE.line()}'\n[[key]]\nname = 'a'\nkey = '{TWO.line()}'", "name", "a in 2"),
        ("[[scope]]\nmodules = ['*']\nsignatures = 1\nkeys = ['x']", "scope[1].keys", "x: not in this file"),
        ("[[scope]]\nmodules = ['*']\nsignatures = 1", "scope[1].signatures", "1"),
        ("[[revoked]]\n" * 1001, "revoked", "1001 entries"),
        ("= 1", "", "line 1"),
        ("[[key]]\nkey = " + "[" * 10_000, "", ""),
    ],
)
def test_a_mistake_is_named(text: str, key: str, found: str) -> None:
    assert found in mistakes(text)[key]


def test_an_unknown_key_is_told_what_it_may_have_meant() -> None:
    with pytest.raises(TrustFileInvalid, match=r"did you mean `key\[1\].channels`"):
        parsed(f"[[key]]\nkey = '{ONE.line()}'\nchanels = ['a']")


def test_the_id_of_a_key_as_minisign_prints_it() -> None:
    assert key_id_of(ONE.name) == key_id_of(ONE.name.lower()) == ONE.id

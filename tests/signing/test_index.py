"""The signed index: signature, age, content."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from pw_modules.author import Author, packed

from pageworker_sandbox.signing import (
    BadSignature,
    Index,
    IndexedModule,
    IndexedVersion,
    IndexExpired,
    IndexMalformed,
    IndexRolledBack,
    SigningLimits,
    UntrustedIndex,
    UntrustedKey,
    minisig,
    sign,
    sign_index,
    verify_index,
)

AUTHOR = Author()
NOW = datetime(2030, 1, 1, tzinfo=UTC)
INDEX = Index(
    serial=7,
    expires=NOW + timedelta(days=1),
    modules={
        "shop.product": IndexedModule(
            versions={
                "1.0.0": IndexedVersion(sha256="0" * 64, bytes=10, yanked=True),
                "1.1.0": IndexedVersion(sha256="1" * 64, bytes=9),
            },
            channels={"stable": "1.1.0"},
        )
    },
)
SIGNED = sign_index(INDEX, AUTHOR.key)


def signed_as_it_is(data: bytes, serial: int) -> UntrustedIndex:
    """Any bytes, with a valid signature and comment."""
    digest = hashlib.sha256(data).hexdigest()
    comment = f"index serial:{serial} expires:2030-01-02T00:00:00Z sha256:{digest}"
    return UntrustedIndex(data, minisig.sign(data, AUTHOR.key, comment))


def test_it_is_read_as_it_was_written() -> None:
    assert verify_index(SIGNED, AUTHOR.trust, NOW) == INDEX
    assert verify_index(SIGNED, AUTHOR.trust, NOW, highest_serial=7) == INDEX
    assert sign_index(INDEX, AUTHOR.key).data == SIGNED.data


def test_it_is_not_used_from_its_expiry_on() -> None:
    verify_index(SIGNED, AUTHOR.trust, INDEX.expires - timedelta(microseconds=1))
    with pytest.raises(IndexExpired) as refused:
        verify_index(SIGNED, AUTHOR.trust, INDEX.expires)
    assert refused.value.type == "module_expired"
    assert "refresh-index" in refused.value.mend


def test_an_older_one_than_was_seen_is_refused() -> None:
    with pytest.raises(IndexRolledBack, match="7 is older than index 8"):
        verify_index(SIGNED, AUTHOR.trust, NOW, highest_serial=8)


def test_other_keys_are_not_trusted() -> None:
    with pytest.raises(UntrustedKey):
        verify_index(SIGNED, Author().trust, NOW)
    with pytest.raises(BadSignature):
        verify_index(UntrustedIndex(SIGNED.data.replace(b"1.1.0", b"1.0.0"), SIGNED.signature), AUTHOR.trust, NOW)


def test_a_signature_made_for_something_else_does_not_do() -> None:
    for comment in ("", "name:a version:1.0.0 sha256:" + "0" * 64, "index serial:8 expires:x sha256:y"):
        signature = minisig.sign(SIGNED.data, AUTHOR.key, comment)
        with pytest.raises(BadSignature):
            verify_index(UntrustedIndex(SIGNED.data, signature), AUTHOR.trust, NOW)
    bundle = packed()
    with pytest.raises(BadSignature):
        verify_index(UntrustedIndex(bundle.data, sign(bundle, AUTHOR.key)), AUTHOR.trust, NOW)


@pytest.mark.parametrize(
    "modules",
    [
        {"../x": {"versions": {}, "channels": {}}},
        {"a": {"versions": {"../1": {"sha256": "0" * 64, "bytes": 1}}, "channels": {}}},
        {"a": {"versions": {"1.0.0": {"sha256": "0" * 64 + "\n", "bytes": 1}}, "channels": {}}},
        {"a": {"versions": {}, "channels": {"stable": "1.0.0"}}},
        {"a": 5},
    ],
)
def test_signed_nonsense_is_the_publishers_mistake(modules: dict[str, object]) -> None:
    data = msgspec.json.encode({"serial": 1, "expires": INDEX.expires, "modules": modules})
    with pytest.raises(IndexMalformed):
        verify_index(signed_as_it_is(data, 1), AUTHOR.trust, NOW)


@pytest.mark.parametrize("expires", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_an_expiry_that_utc_cannot_express_is_malformed(expires: str) -> None:
    data = msgspec.json.encode({"serial": 1, "expires": expires, "modules": {}})
    with pytest.raises(IndexMalformed, match="expires"):
        verify_index(signed_as_it_is(data, 1), AUTHOR.trust, NOW)


def test_it_is_not_read_without_end() -> None:
    with pytest.raises(IndexMalformed, match="at most"):
        verify_index(SIGNED, AUTHOR.trust, NOW, limits=SigningLimits(index_bytes=10))


def test_what_a_later_publisher_adds_is_let_be() -> None:
    raw = msgspec.json.decode(SIGNED.data) | {"later": 1}
    data = msgspec.json.encode(raw)
    assert verify_index(signed_as_it_is(data, 7), AUTHOR.trust, NOW) == INDEX

"""A statement of provenance is accepted only for its bundle, and only by a trusted key. The form is in-toto's."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pw_modules.author import packed

from pageworker_sandbox.signing import (
    BadSignature,
    ProvenanceMismatch,
    SecretKey,
    TrustStore,
    UntrustedKey,
    UntrustedProvenance,
    minisig,
    sign_provenance,
    verify_provenance,
)
from pageworker_sandbox.signing.provenance import MAX_STATEMENT_BYTES, sources_digest

KEY = SecretKey.new()
TRUST = TrustStore([KEY.public])
BUNDLE = packed()
AT = datetime(2026, 1, 2, 3, 4, 5, 678, timezone(timedelta(hours=1)))
SIGNED = sign_provenance(BUNDLE, KEY, "0.1.0", AT)
COMMENT = f"provenance name:{BUNDLE.name} version:{BUNDLE.version} sha256:{BUNDLE.sha256}"


def signed_again(change: Callable[[Any], object]) -> UntrustedProvenance:
    """A changed statement with a valid signature."""
    statement = json.loads(SIGNED.data)
    change(statement)
    data = json.dumps(statement).encode()
    return UntrustedProvenance(data, minisig.sign(data, KEY, COMMENT))


def test_it_says_what_was_built_of_what_by_what_and_when() -> None:
    found = verify_provenance(SIGNED, BUNDLE, TRUST)
    assert found.builder == "urn:pageworker:workerctl pageworker 0.1.0"
    assert found.built_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (found.sources_sha256, found.key) == (sources_digest(BUNDLE), KEY.public.name)


def test_it_is_a_statement_of_in_toto_with_a_predicate_of_slsa() -> None:
    statement = json.loads(SIGNED.data)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": "shop.product-1.4.2.zip", "digest": {"sha256": BUNDLE.sha256}}]
    assert statement["predicate"]["buildDefinition"]["externalParameters"] == {
        "name": "shop.product",
        "version": "1.4.2",
    }
    assert statement["predicate"]["runDetails"]["metadata"] == {"finishedOn": "2026-01-02T02:04:05Z"}


def test_the_digest_of_the_sources_is_that_of_the_authors_files() -> None:
    assert sources_digest(packed(schema={"type": "object"})) == sources_digest(BUNDLE)
    assert sources_digest(packed(code=b"async def handler(a, b, c, d): ...\n")) != sources_digest(BUNDLE)


def test_another_bundle_is_refused() -> None:
    with pytest.raises(BadSignature, match="another bundle"):
        verify_provenance(SIGNED, packed(version="1.4.3"), TRUST)


def test_a_changed_statement_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify_provenance(replace(SIGNED, data=SIGNED.data.replace(b"0.1.0", b"0.1.1")), BUNDLE, TRUST)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UntrustedKey):
        verify_provenance(SIGNED, BUNDLE, TrustStore([SecretKey.new().public]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it["subject"][0]["digest"].update(sha256="0" * 64), "is not about"),
        (lambda it: it["subject"][0].update(name="other-1.4.2.zip"), "is not about"),
        (lambda it: it.update(subject=[]), "is not about"),
        (
            lambda it: it["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"].update(sha256="0" * 64),
            "other sources",
        ),
        (lambda it: it.update(predicateType="https://slsa.dev/provenance/v2"), "not a statement of provenance"),
        (lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"), "not a statement of provenance"),
        (lambda it: it["predicate"]["runDetails"].pop("metadata"), "not a statement of provenance"),
        (lambda it: it.update(more="x" * MAX_STATEMENT_BYTES), "at most"),
    ],
)
def test_a_signed_statement_that_does_not_fit_is_refused(change: Callable[[Any], object], told: str) -> None:
    with pytest.raises(ProvenanceMismatch, match=told):
        verify_provenance(signed_again(change), BUNDLE, TRUST)


def test_its_signature_is_none_of_a_bundle_and_the_other_way_round() -> None:
    signature = minisig.sign(SIGNED.data, KEY, f"name:{BUNDLE.name} version:{BUNDLE.version} sha256:{BUNDLE.sha256}")
    with pytest.raises(BadSignature, match="another bundle"):
        verify_provenance(UntrustedProvenance(SIGNED.data, signature), BUNDLE, TRUST)

"""Ten thousand single bytes changed at random in a bundle, an index or a signature file: none is accepted.

Only a signature file's first line, the untrusted comment, may change: nothing signs it.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pw_modules.author import Author, packed

from pageworker_sandbox.signing import (
    Index,
    IndexedModule,
    IndexedVersion,
    ModuleError,
    UntrustedBundle,
    UntrustedIndex,
    minisig,
    sign_index,
    verify,
    verify_index,
)

SEED = 20_260_101
CHANGES = 10_000
AUTHOR = Author()
NOW = datetime(2030, 1, 1, tzinfo=UTC)

BUNDLE = packed()
OURS = AUTHOR.signed(BUNDLE)
PLAIN = UntrustedBundle(
    BUNDLE.data, minisig.sign(BUNDLE.data, AUTHOR.key, "timestamp:1\tfile:shop.product-1.4.2.zip\thashed")
)
INDEX = sign_index(
    Index(
        serial=1,
        expires=NOW + timedelta(days=1),
        modules={
            "a": IndexedModule(
                versions={"1.0.0": IndexedVersion(sha256="0" * 64, bytes=1)}, channels={"stable": "1.0.0"}
            )
        },
    ),
    AUTHOR.key,
)

Accept = Callable[[bytes, bytes], object]


def as_bundle(data: bytes, signature: bytes) -> object:
    return verify(UntrustedBundle(data, signature), AUTHOR.trust)


def as_index(data: bytes, signature: bytes) -> object:
    return verify_index(UntrustedIndex(data, signature), AUTHOR.trust, NOW)


def changed(dice: random.Random, original: bytes, first: int = 0) -> bytes:
    """Change, remove, double or insert one byte at `first` or later."""
    at, byte = dice.randrange(first, len(original)), dice.randrange(256)
    what = dice.random()
    if what < 0.9:
        byte = byte if byte != original[at] else byte ^ 1 << dice.randrange(8)
        return original[:at] + bytes([byte]) + original[at + 1 :]
    return (
        original[:at] + original[at + 1 :] if what < 0.95 else original[: at + 1] + bytes([byte]) + original[at + 1 :]
    )


@pytest.mark.parametrize(
    ("accept", "data", "signature"),
    [
        (as_bundle, OURS.data, OURS.signature),
        (as_bundle, PLAIN.data, PLAIN.signature),
        (as_index, INDEX.data, INDEX.signature),
    ],
    ids=["bundle", "bundle signed by plain minisign", "index"],
)
def test_no_changed_byte_is_accepted(accept: Accept, data: bytes, signature: bytes) -> None:
    accept(data, signature)
    dice = random.Random(SEED)
    signed_from = signature.index(b"\n")
    accepted = []
    for _ in range(CHANGES // 2):
        for pair in ((changed(dice, data), signature), (data, changed(dice, signature, signed_from))):
            if pair == (data, signature):
                continue
            try:
                accept(*pair)
            except ModuleError:
                continue
            accepted.append(pair)
    assert accepted == []


def test_every_byte_of_a_signature_file_counts() -> None:
    """Systematically: each bit of every byte after the first line."""
    signature = OURS.signature
    for at in range(signature.index(b"\n") + 1, len(signature)):
        for bit in range(8):
            broken = signature[:at] + bytes([signature[at] ^ 1 << bit]) + signature[at + 1 :]
            with pytest.raises(ModuleError):
                as_bundle(OURS.data, broken)

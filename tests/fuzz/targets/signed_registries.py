"""Bundles and indexes that were changed: each with its old signature, and signed again by a trusted key.

What was changed without a key must be refused. What a trusted key has signed again must be refused as malformed or out
of scope, or be harmless: one form, safe names, no compiled code, and only what the scope of the key allows.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from nacl.signing import SigningKey

from fuzz.target import FuzzTarget
from fuzz.targets.signed_packages import BY_MINISIGN, INDEX, KEY, PACKAGE
from pageworker_sandbox.signing import (
    Index,
    KeyScope,
    KeyUnusable,
    ModuleError,
    OutOfScope,
    PublicKey,
    TrustedKey,
    TrustFileInvalid,
    TrustStore,
    UntrustedBundle,
    UntrustedIndex,
    authenticate_index,
    check_authority,
    minisig,
    parse_public,
    parse_trust_file,
    sign_index,
    verify,
)
from pageworker_sandbox.signing.archive import read_archive, write_archive
from pageworker_sandbox.signing.manifest import NAME
from pageworker_sandbox.signing.version import SEMVER
from pageworker_supervisor.registry.resolve import Release, resolve
from pageworker_supervisor.registry.version_choice import VersionWish, WorkerScope


@dataclass(frozen=True)
class ReadySigner:
    """Signs as its key does, and derives the Ed25519 key pair once: a fifth of the time of an input went into that."""

    public: PublicKey
    pair: SigningKey

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of the message: 64 bytes."""
        return self.pair.sign(message).signature


SIGNER = ReadySigner(KEY.public, SigningKey(KEY.seed))
SCOPE = KeyScope(modules=("shop.*",), tenants=("acme",), channels=("canary",))
TRUST = TrustStore([TrustedKey(SIGNER.public, SCOPE)])
BY_INDEX_KEY = TrustStore([SIGNER.public])
NOW = datetime(2026, 11, 28, tzinfo=UTC)
NATIVE = (".so", ".pyd", ".dll", ".dylib")
INDEXED = b"{"
"""The first byte of an index. Anything else is a bundle."""


def run_registry(data: bytes) -> None:
    """One changed file of a registry, with its old signature and with a new one."""
    check, original, old, new = (
        (_index, INDEX.data, INDEX.signature, _signature(data))
        if data[:1] == INDEXED
        else (_bundle, PACKAGE, BY_MINISIGN, minisig.sign(data, SIGNER, "timestamp:1"))
    )
    with suppress(ModuleError):
        check(data, old)
        assert data == original, "bytes that were not signed are accepted"
    check(data, new)


def _bundle(body: bytes, signature: bytes) -> None:
    bundle = verify(UntrustedBundle(body, signature), TRUST, now=NOW)
    files = read_archive(body)
    assert write_archive(files) == body, "a second form of a bundle"
    for name, content in files.items():
        assert ".." not in name.split("/"), name
        assert not name.startswith("/"), name
        assert not name.lower().endswith(NATIVE), name
        assert len(content) <= len(body), name
    assert bundle.name.startswith("shop."), "out of the scope of its key"
    assert NAME.fullmatch(bundle.name)
    check_authority(bundle.signed, TRUST, NOW, tenant_id="acme", channel="canary")
    for tenant_id, channel in (("other", "canary"), ("acme", "stable")):
        try:
            check_authority(bundle.signed, TRUST, NOW, tenant_id=tenant_id, channel=channel)
        except OutOfScope:
            continue
        raise AssertionError(f"{tenant_id} runs it from {channel}")


def _index(body: bytes, signature: bytes) -> None:
    index = authenticate_index(UntrustedIndex(body, signature), BY_INDEX_KEY, now=NOW)
    for name, listed in index.modules.items():
        assert NAME.fullmatch(name), name
        for version in listed.versions:
            assert SEMVER.fullmatch(version), version
        for channel in listed.channels:
            with suppress(ModuleError):
                release: Release = resolve(index, name, VersionWish(), WorkerScope((channel,)))
                assert "/" not in release.file, release.file
                assert release.version in listed.versions


def _signature(body: bytes) -> bytes:
    """By a publisher who signs what he is given, with the comment that belongs to it where there is one."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
        comment = sign_index(msgspec.json.decode(body, type=Index), SIGNER).signature.splitlines()[2]
        told = comment.decode().removeprefix("trusted comment: ").rpartition(" sha256:")[0]
        return minisig.sign(body, SIGNER, f"{told} sha256:{hashlib.sha256(body).hexdigest()}")
    return minisig.sign(body, SIGNER, "index ")


OTHER = write_archive({**read_archive(PACKAGE), "input.schema.json": b'{"type": "object", "title": "t"}'})
FOREIGN = write_archive({name: data.replace(b"shop.", b"pays.") for name, data in read_archive(PACKAGE).items()})
REGISTRY = FuzzTarget(
    name="signed-registry",
    run=run_registry,
    raises=(ModuleError,),
    seeds=(PACKAGE, OTHER, FOREIGN, INDEX.data),
    words=(
        *(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"../", b".so", b"shop.", b"name = ", b"expires = "),
        *(b'"versions"', b'"channels"', b'"signatures": 2', b'"yanked": true', b'"serial": 9'),
    ),
    share=0.6,
    longest=1500,
)


def run_trust_file(data: bytes) -> None:
    """Any text in the place of a trust file. What is accepted trusts no key twice."""
    found = parse_trust_file(data.decode("utf-8", "replace"), parse_public)
    store = found.store()
    assert len(store.keys) == len(found.keys)
    for rule in found.rules:
        assert rule.signatures <= len(found.keys)


LINE = KEY.public.line().encode()
TRUST_FILE = FuzzTarget(
    name="trust-file",
    run=run_trust_file,
    raises=(TrustFileInvalid, KeyUnusable),
    seeds=(
        b'[[key]]\nname = "a"\nkey = "' + LINE + b'"\nmodules = ["shop.*"]\ntenants = ["acme-*"]\n'
        b'channels = ["canary"]\nmay_index = true\nnot_after = 2027-01-01T00:00:00Z\n'
        b'[[scope]]\nmodules = ["*"]\nsignatures = 1\nkeys = ["a"]\n',
        b'[[revoked]]\nid = "8A2F6D0C51E7B394"\nat = 2026-11-01T00:00:00Z\nreason = "lost"\n',
    ),
    words=(b"[[key]]\n", b"[[scope]]\n", b"[[revoked]]\n", b"not_after = ", b"signatures = ", b"keys = [", LINE),
    share=0.2,
    longest=1000,
)

FUZZ_TARGETS = (REGISTRY, TRUST_FILE)

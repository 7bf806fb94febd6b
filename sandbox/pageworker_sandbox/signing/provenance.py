"""Provenance of a bundle: an in-toto statement beside it, which says what it was built of, by what and when. Pure.

The statement is plain JSON in the form of in-toto's Statement v1, with a predicate of SLSA's provenance v1. It is
signed like a bundle, by a detached signature in minisign's format.
Sources: in-toto.io/Statement/v1, slsa.dev/spec/v1.0/provenance.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.archive import read_archive
from pageworker_sandbox.signing.bundle import SCHEMA_FILE, PackedBundle
from pageworker_sandbox.signing.errors import BadSignature, ProvenanceMismatch
from pageworker_sandbox.signing.keys import Signer
from pageworker_sandbox.signing.trust import TrustStore
from pageworker_sandbox.wire.bundle_layout import VENDORED

BUILDER = "urn:pageworker:workerctl"
SOURCES, DEPENDENCIES = "sources", "dependencies"
MAX_STATEMENT_BYTES = 64 * 1024

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class DigestSet(Struct, frozen=True):
    """Of one file, or of a list of files."""

    sha256: Sha256


class ResourceDescriptor(Struct, frozen=True):
    """A file, or a set of files, and its digest."""

    name: str
    digest: DigestSet


class ModuleParameters(Struct, frozen=True):
    """What was built."""

    name: str
    version: str


class BuildDefinition(Struct, frozen=True, rename="camel"):
    """What the bundle was built of."""

    build_type: Literal["urn:pageworker:module-pack:1"]
    """The bundle is what `workerctl module pack` makes of the sources, with nothing else as input."""
    external_parameters: ModuleParameters
    resolved_dependencies: tuple[ResourceDescriptor, ...]


class ProvenanceBuilder(Struct, frozen=True):
    """What built it."""

    id: str
    version: dict[str, str]


class BuildMetadata(Struct, frozen=True, rename="camel"):
    """When."""

    finished_on: datetime


class RunDetails(Struct, frozen=True):
    """How it was built."""

    builder: ProvenanceBuilder
    metadata: BuildMetadata


class ProvenancePredicate(Struct, frozen=True, rename="camel"):
    """SLSA's provenance v1."""

    build_definition: BuildDefinition
    run_details: RunDetails


class ProvenanceStatement(Struct, frozen=True, rename="camel"):
    """The whole file."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[ResourceDescriptor, ...]
    predicate_type: Literal["https://slsa.dev/provenance/v1"]
    predicate: ProvenancePredicate


@dataclass(frozen=True)
class UntrustedProvenance:
    """Bytes of a statement and of its signature file, neither of them verified."""

    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True)
class VerifiedProvenance:
    """What a statement says that is about this bundle and signed by a trusted key. Only `verify_provenance` creates
    these."""

    builder: str
    built_at: datetime
    sources_sha256: str
    key: str
    """Id of the key."""


def sign_provenance(bundle: PackedBundle, key: Signer, builder_version: str, built_at: datetime) -> UntrustedProvenance:
    """The statement of a bundle, and its signature. `built_at`: with a time zone."""
    statement = _statement(bundle, builder_version, built_at)
    data = msgspec.json.format(msgspec.json.encode(statement), indent=1) + b"\n"
    return UntrustedProvenance(data, minisig.sign(data, key, _comment(bundle)))


def verify_provenance(untrusted: UntrustedProvenance, bundle: PackedBundle, trust: TrustStore) -> VerifiedProvenance:
    """Check the signature, and that the statement is about this bundle and fits its files. Works offline.

    Raises BadSignature, UntrustedKey, ProvenanceMismatch.
    """
    if len(untrusted.data) > MAX_STATEMENT_BYTES:
        raise ProvenanceMismatch(f"a statement has at most {MAX_STATEMENT_BYTES} bytes")
    signature = minisig.parse(untrusted.signature)
    key = trust.key_for(signature)
    comment = minisig.check(signature, untrusted.data, key)
    if comment != _comment(bundle):
        raise BadSignature("the trusted comment is for the provenance of another bundle than this one")
    try:
        statement = msgspec.json.decode(untrusted.data, type=ProvenanceStatement)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProvenanceMismatch(f"not a statement of provenance: {error}") from error
    details, definition = statement.predicate.run_details, statement.predicate.build_definition
    if ResourceDescriptor(bundle.manifest.bundle_file, DigestSet(bundle.sha256)) not in statement.subject:
        raise ProvenanceMismatch(f"the statement is not about {bundle.manifest.bundle_file} {bundle.sha256}")
    if definition.resolved_dependencies != _resources(bundle):
        raise ProvenanceMismatch("the statement names other sources than the bundle has")
    return VerifiedProvenance(
        builder=" ".join((details.builder.id, *(f"{name} {text}" for name, text in details.builder.version.items()))),
        built_at=details.metadata.finished_on,
        sources_sha256=sources_digest(bundle),
        key=key.name,
    )


def sources_digest(bundle: PackedBundle) -> str:
    """SHA-256 (hex) of the lines `DIGEST  NAME` of the author's files, in the order of their names.

    `find . -type f | LC_ALL=C sort | xargs sha256sum` writes such lines. The input schema is none of the files: it is
    made while packing. Neither are the dependencies.
    """
    return _listed(bundle, lambda name: name != SCHEMA_FILE and not name.startswith(f"{VENDORED}/"))


def _listed(bundle: PackedBundle, wanted: Callable[[str], bool]) -> str:
    files = read_archive(bundle.data)
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if wanted(name))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _resources(bundle: PackedBundle) -> tuple[ResourceDescriptor, ...]:
    dependencies = _listed(bundle, lambda name: name.startswith(f"{VENDORED}/"))
    return (
        ResourceDescriptor(SOURCES, DigestSet(sources_digest(bundle))),
        ResourceDescriptor(DEPENDENCIES, DigestSet(dependencies)),
    )


def _statement(bundle: PackedBundle, builder_version: str, built_at: datetime) -> ProvenanceStatement:
    return ProvenanceStatement(
        type="https://in-toto.io/Statement/v1",
        subject=(ResourceDescriptor(bundle.manifest.bundle_file, DigestSet(bundle.sha256)),),
        predicate_type="https://slsa.dev/provenance/v1",
        predicate=ProvenancePredicate(
            build_definition=BuildDefinition(
                build_type="urn:pageworker:module-pack:1",
                external_parameters=ModuleParameters(bundle.name, bundle.version),
                resolved_dependencies=_resources(bundle),
            ),
            run_details=RunDetails(
                builder=ProvenanceBuilder(BUILDER, {"pageworker": builder_version}),
                metadata=BuildMetadata(built_at.astimezone(UTC).replace(microsecond=0)),
            ),
        ),
    )


def _comment(bundle: PackedBundle) -> str:
    return f"provenance name:{bundle.name} version:{bundle.version} sha256:{bundle.sha256}"

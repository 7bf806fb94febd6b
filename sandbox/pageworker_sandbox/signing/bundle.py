"""Verifies and signs bundles. Bytes in, types out: no file or network I/O.

Order of the checks: signature files, trusted keys, signatures of the bytes. Only then the zip file, the manifest and
the schema inside are parsed. Then the trusted comments and the scopes of the keys are compared with the manifest.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from pageworker_sandbox.page_rules import is_ca
from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.archive import read_archive, write_archive
from pageworker_sandbox.signing.authority import SignedVersion, check_authority
from pageworker_sandbox.signing.errors import (
    BadSignature,
    BundleMalformed,
    BundleRenamed,
    KeyExpired,
    KeyRevoked,
    NativeCode,
    SdkMismatch,
    Untrusted,
)
from pageworker_sandbox.signing.keys import Signer
from pageworker_sandbox.signing.limits import LIMITS, MOST_SIGNATURES, SigningLimits
from pageworker_sandbox.signing.manifest import FILE, Manifest, parse_manifest
from pageworker_sandbox.signing.trust import TrustStore
from pageworker_sandbox.signing.version import SDK_VERSION, fits
from pageworker_sandbox.wire.page_options import PageOptions

SCHEMA_FILE = "input.schema.json"
OUTPUT_FILE = "output.schema.json"

_NATIVE = re.compile(r"\.(?:so|pyd|dll|dylib|a|o)(?:\.[0-9.]+)?$")
_FILE_FIELD = re.compile(r"(?:^|\t)file:([^\t]*)")


@dataclass(frozen=True)
class UntrustedBundle:
    """Bytes of a bundle and of its signature files, none of them verified. `more_signatures`: those by other keys."""

    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    more_signatures: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class PackedBundle:
    """A bundle with the right format. `sha256` is hex. Its signature is not verified."""

    name: str
    version: str
    sha256: str
    manifest: Manifest
    input_schema: dict[str, Any] = field(repr=False)
    data: bytes = field(repr=False)
    output_schema: dict[str, Any] | None = field(default=None, repr=False)
    """None: the manifest has no `output`, and the handler may return any object."""


@dataclass(frozen=True)
class VerifiedBundle(PackedBundle):
    """A bundle whose signature by a trusted key is verified. Only `verify` creates these.

    `signers`: the ids of the keys. What they permit is asked at each use (`check_authority`).
    """

    signers: tuple[bytes, ...] = ()

    @property
    def signed(self) -> SignedVersion:
        """What the decision about its use needs to know."""
        return SignedVersion(self.name, self.version, self.sha256, self.signers, self.manifest.expires)


def verify(
    untrusted: UntrustedBundle, trust: TrustStore, *, now: datetime | None = None, limits: SigningLimits = LIMITS
) -> VerifiedBundle:
    """Verify signatures, form and scopes, for any tenant and channel. `now`: by default, the time of this host.

    Raises BadSignature, UntrustedKey, KeyRevoked, KeyExpired, ModuleOutOfScope, SignaturesMissing, BundleMalformed
    (ManifestInvalid among them), BundleExpired, SdkMismatch.
    """
    if len(untrusted.data) > limits.bundle_bytes:
        raise BundleMalformed(f"a bundle has at most {limits.bundle_bytes} bytes, this one has {len(untrusted.data)}")
    signatures = _verified_signatures(untrusted, trust, now)
    packed = read_bundle(untrusted.data, limits)
    for _, comment in signatures:
        _check_binding(comment, packed)
    signers = tuple(dict.fromkeys(key_id for key_id, _ in signatures))
    bundle = VerifiedBundle(**vars(packed), signers=signers)
    check_authority(bundle.signed, trust, now)
    if not fits(bundle.manifest.sdk):
        raise SdkMismatch(
            f"{bundle.name} {bundle.version} needs SDK {bundle.manifest.sdk}, this worker has {SDK_VERSION}"
        )
    return bundle


def signed_only_by_others(untrusted: UntrustedBundle, trust: TrustStore) -> bool:
    """Whether the first signature is by a key that the store does not know. Raises BadSignature."""
    return not trust.knows(minisig.parse(untrusted.signature).key_id)


def _verified_signatures(
    untrusted: UntrustedBundle, trust: TrustStore, now: datetime | None
) -> list[tuple[bytes, str]]:
    """Key id and trusted comment of each signature by a usable key. A wrong one by such a key refuses the bundle.

    Signatures by other keys do not count. Raises the error of the first one if there is no other.
    """
    files = (untrusted.signature, *untrusted.more_signatures)
    if len(files) > MOST_SIGNATURES:
        raise BadSignature(f"a bundle has at most {MOST_SIGNATURES} signatures")
    verified: list[tuple[bytes, str]] = []
    refused: Untrusted | None = None
    for signature in [minisig.parse(file) for file in files]:
        try:
            key = trust.key_for(signature, now)
        except Untrusted as error:
            refused = refused or error
            continue
        verified.append((key.id, minisig.check(signature, untrusted.data, key)))
    if refused is None or verified:
        return verified
    if isinstance(refused, KeyRevoked | KeyExpired):
        digest = hashlib.sha256(untrusted.data).hexdigest()
        raise type(refused)(f"the bundle with sha256 {digest} is {refused}", refused.mend)
    raise refused


def sign(bundle: PackedBundle, key: Signer) -> bytes:
    """The `.minisig` text of a bundle. Its trusted comment contains name, version and SHA-256."""
    return minisig.sign(bundle.data, key, _comment(bundle))


def write_bundle(
    manifest_text: str,
    schema: dict[str, Any],
    sources: dict[str, bytes],
    output_schema: dict[str, Any] | None = None,
) -> bytes:
    """The bytes of a bundle. `sources` are the files by name, without module.toml and the schemas."""
    schemas = {SCHEMA_FILE: schema} | ({} if output_schema is None else {OUTPUT_FILE: output_schema})
    files = {name: _schema_text(each) for name, each in schemas.items()}
    return write_archive({**sources, FILE: manifest_text.encode(), **files})


def _schema_text(schema: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"


def read_bundle(data: bytes, limits: SigningLimits = LIMITS) -> PackedBundle:
    """Parse a bundle that we packed, or whose signature is verified. Raises BundleMalformed."""
    files = read_archive(data, limits)
    _refuse_native_code(files)
    try:
        manifest = parse_manifest(_needed(files, FILE, limits.manifest_bytes).decode())
    except UnicodeDecodeError as error:
        raise BundleMalformed(f"{FILE} is not UTF-8") from error
    schema = _read_schema(files, SCHEMA_FILE, limits)
    # A module without `output` may have a file of this name, which is its own affair.
    output_schema = _read_schema(files, OUTPUT_FILE, limits) if manifest.output is not None else None
    if not is_in(manifest.entrypoint, files):
        raise BundleMalformed(f"entrypoint {manifest.entrypoint} is not in the bundle")
    manifest = msgspec.structs.replace(manifest, page=_with_ca(manifest.page, files))
    digest = hashlib.sha256(data).hexdigest()
    return PackedBundle(manifest.name, manifest.version, digest, manifest, schema, data, output_schema)


def _needed(files: dict[str, bytes], name: str, most_bytes: int) -> bytes:
    """A file that every bundle has. Raises BundleMalformed."""
    if name not in files:
        raise BundleMalformed(f"the bundle has no {name}")
    if len(files[name]) > most_bytes:
        raise BundleMalformed(f"{name} has at most {most_bytes} bytes")
    return files[name]


def _read_schema(files: dict[str, bytes], name: str, limits: SigningLimits) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_needed(files, name, limits.schema_bytes), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleMalformed(f"{name}: {error}") from error


def _refuse_native_code(files: Iterable[str]) -> None:
    """Refuse compiled code by its name, as the importer would find it. Raises NativeCode."""
    for name in files:
        if _NATIVE.search(name.rpartition("/")[2].lower()):
            raise NativeCode(f"file {name} is compiled code, and a bundle holds Python sources only")


def _with_ca(page: PageOptions, files: dict[str, bytes]) -> PageOptions:
    """The options with the certificates themselves if they name a file of the bundle. Raises BundleMalformed."""
    if page.ca is None or is_ca(page.ca):
        return page
    text = files.get(page.ca, b"").decode("ascii", "replace")
    if not is_ca(text):
        why = "are not CA certificates in PEM" if page.ca in files else "are not in the bundle"
        raise BundleMalformed(f"the certificates that [page] names, {page.ca}, {why}")
    return msgspec.structs.replace(page, ca=text)


def is_in(entrypoint: str, files: dict[str, bytes]) -> bool:
    """True if the files contain the module of `package.module:function`."""
    return module_file(entrypoint, files) is not None


def module_file(entrypoint: str, files: dict[str, bytes]) -> str | None:
    """The file with the module of `package.module:function`. None if it is missing."""
    path = entrypoint.partition(":")[0].replace(".", "/")
    return next((name for name in (f"{path}/__init__.py", f"{path}.py") if name in files), None)


def _comment(bundle: PackedBundle) -> str:
    return f"name:{bundle.name} version:{bundle.version} sha256:{bundle.sha256}"


def _check_binding(comment: str, bundle: PackedBundle) -> None:
    """Check that the trusted comment matches the bundle. Raises BadSignature.

    A comment by pageworker must contain the exact name, version and SHA-256. A comment by plain `minisign -S` contains
    none of them; there the signed manifest does. If it has a `file:` field, that must be the name of the bundle, so
    that the file cannot be used under another name. A comment of an index is refused.
    """
    if comment.startswith("name:"):
        if comment != _comment(bundle):
            raise BundleRenamed("the trusted comment is for another module than this bundle")
        return
    if comment.startswith("index "):
        raise BadSignature("this is the signature of an index, not of a bundle")
    named = _FILE_FIELD.search(comment)
    if named is not None and named[1] != bundle.manifest.bundle_file:
        raise BundleRenamed(f"the signature is for a file with another name than {bundle.manifest.bundle_file}")

"""A signed module, before and after anyone vouched for it. Bytes in, types out: no file or network I/O.

Order, and nothing earlier than its turn: signature file, trusted key, signature over the bytes, trusted comment,
and only then the zip, the manifest and the schema inside.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.archive import read_archive, write_archive
from pageworker_sandbox.signing.errors import BadSignature, BundleMalformed, SdkMismatch
from pageworker_sandbox.signing.keys import SecretKey
from pageworker_sandbox.signing.limits import LIMITS, SigningLimits
from pageworker_sandbox.signing.manifest import FILE, Manifest, parse_manifest
from pageworker_sandbox.signing.trust import TrustStore
from pageworker_sandbox.signing.version import SDK_VERSION, fits

SCHEMA_FILE = "input.schema.json"

_FILE_FIELD = re.compile(r"(?:^|\t)file:([^\t]*)")


@dataclass(frozen=True)
class UntrustedBundle:
    """Bytes that somebody sent, and what is said to be their signature."""

    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True)
class PackedBundle:
    """A module that has the right form. `sha256` is hex. Nobody vouches for it yet."""

    name: str
    version: str
    sha256: str
    manifest: Manifest
    input_schema: dict[str, Any] = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class VerifiedBundle(PackedBundle):
    """A module that a trusted key vouches for. Only `verify` makes these."""


def verify(untrusted: UntrustedBundle, trust: TrustStore, *, limits: SigningLimits = LIMITS) -> VerifiedBundle:
    """Raises BadSignature, UntrustedKey, BundleMalformed (ManifestInvalid among them), SdkMismatch.

    A bundle does not grow old by itself: what expires is the index that lists it.
    """
    if len(untrusted.data) > limits.bundle_bytes:
        raise BundleMalformed(f"a bundle is at most {limits.bundle_bytes} bytes, this has {len(untrusted.data)}")
    signature = minisig.parse(untrusted.signature)
    comment = minisig.check(signature, untrusted.data, trust.key_for(signature))
    bundle = VerifiedBundle(**vars(read_bundle(untrusted.data, limits)))
    _check_binding(comment, bundle)
    if not fits(bundle.manifest.sdk):
        raise SdkMismatch(f"{bundle.name} {bundle.version} wants SDK {bundle.manifest.sdk}, this is {SDK_VERSION}")
    return bundle


def sign(bundle: PackedBundle, key: SecretKey) -> bytes:
    """The `.minisig` of a bundle, its comment bound to name, version and SHA-256."""
    return minisig.sign(bundle.data, key, _comment(bundle))


def write_bundle(manifest_text: str, schema: dict[str, Any], sources: dict[str, bytes]) -> bytes:
    """A bundle's bytes. `sources` are the package's files by name, without the two that are made here."""
    encoded = msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2)
    return write_archive({**sources, FILE: manifest_text.encode(), SCHEMA_FILE: encoded + b"\n"})


def read_bundle(data: bytes, limits: SigningLimits = LIMITS) -> PackedBundle:
    """A bundle that we packed ourselves, or whose signature has verified. Raises BundleMalformed."""
    files = read_archive(data, limits)
    for needed, most in ((FILE, limits.manifest_bytes), (SCHEMA_FILE, limits.schema_bytes)):
        if needed not in files:
            raise BundleMalformed(f"there is no {needed} in the bundle")
        if len(files[needed]) > most:
            raise BundleMalformed(f"{needed} is at most {most} bytes")
    try:
        manifest = parse_manifest(files[FILE].decode())
        schema = msgspec.json.decode(files[SCHEMA_FILE], type=dict[str, Any])
    except UnicodeDecodeError as error:
        raise BundleMalformed(f"{FILE} is not UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BundleMalformed(f"{SCHEMA_FILE}: {error}") from error
    if not is_in(manifest.entrypoint, files):
        raise BundleMalformed(f"entrypoint {manifest.entrypoint} is not in the bundle")
    digest = hashlib.sha256(data).hexdigest()
    return PackedBundle(manifest.name, manifest.version, digest, manifest, schema, data)


def is_in(entrypoint: str, files: dict[str, bytes]) -> bool:
    """Whether the module of `package.module:function` is among the files."""
    return module_file(entrypoint, files) is not None


def module_file(entrypoint: str, files: dict[str, bytes]) -> str | None:
    """The file that holds the module of `package.module:function`."""
    path = entrypoint.partition(":")[0].replace(".", "/")
    return next((name for name in (f"{path}/__init__.py", f"{path}.py") if name in files), None)


def _comment(bundle: PackedBundle) -> str:
    return f"name:{bundle.name} version:{bundle.version} sha256:{bundle.sha256}"


def _check_binding(comment: str, bundle: PackedBundle) -> None:
    """What the signer said about the bytes has to be true of them.

    pageworker's own comment must name name, version and SHA-256 exactly. A comment by plain `minisign -S` says
    nothing about them; there the signed manifest does, and a `file:` field must be the bundle's own name, so that
    a signature can't be passed off under another. Comments for other uses (the index) are refused.
    """
    if comment.startswith("name:"):
        if comment != _comment(bundle):
            raise BadSignature("the trusted comment names another module than the bundle does")
        return
    if comment.startswith("index "):
        raise BadSignature("this signature is for an index, not for a bundle")
    named = _FILE_FIELD.search(comment)
    if named is not None and named[1] != bundle.manifest.bundle_file:
        raise BadSignature(f"the signature is for a file of another name than {bundle.manifest.bundle_file}")

"""Keys, signatures, bundles and index: decides whether a module may run. No file or network I/O.

All formats are those of minisign. So the `minisign` program verifies what pageworker signs, and the other way round.
"""

from pageworker_sandbox.signing.bundle import (
    PackedBundle,
    UntrustedBundle,
    VerifiedBundle,
    read_bundle,
    sign,
    verify,
)
from pageworker_sandbox.signing.errors import (
    BadSignature,
    BundleMalformed,
    IndexExpired,
    IndexMalformed,
    IndexRolledBack,
    KeyUnusable,
    ManifestInvalid,
    Mistake,
    ModuleError,
    SdkMismatch,
    Untrusted,
    UntrustedKey,
    WrongPassword,
)
from pageworker_sandbox.signing.index import (
    Index,
    IndexedModule,
    IndexedVersion,
    UntrustedIndex,
    authenticate_index,
    check_age,
    sign_index,
    verify_index,
)
from pageworker_sandbox.signing.keys import PublicKey, SecretKey, Signer, parse_public, read_secret, write_secret
from pageworker_sandbox.signing.limits import LIMITS, SigningLimits
from pageworker_sandbox.signing.manifest import Manifest, parse_manifest
from pageworker_sandbox.signing.trust import TrustStore

__all__ = [
    "LIMITS",
    "BadSignature",
    "BundleMalformed",
    "Index",
    "IndexExpired",
    "IndexMalformed",
    "IndexRolledBack",
    "IndexedModule",
    "IndexedVersion",
    "KeyUnusable",
    "Manifest",
    "ManifestInvalid",
    "Mistake",
    "ModuleError",
    "PackedBundle",
    "PublicKey",
    "SdkMismatch",
    "SecretKey",
    "Signer",
    "SigningLimits",
    "TrustStore",
    "Untrusted",
    "UntrustedBundle",
    "UntrustedIndex",
    "UntrustedKey",
    "VerifiedBundle",
    "WrongPassword",
    "authenticate_index",
    "check_age",
    "parse_manifest",
    "parse_public",
    "read_bundle",
    "read_secret",
    "sign",
    "sign_index",
    "verify",
    "verify_index",
    "write_secret",
]

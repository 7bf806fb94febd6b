"""Every limit on what signing reads, in one place."""

from dataclasses import dataclass

MAX_SIGNATURE_BYTES = 16 * 1024
MIB = 1024 * 1024


@dataclass(frozen=True)
class SigningLimits:
    """At most. Bundles are stored, not compressed, so their unpacked size has no limit of its own: it can
    not be more than `bundle_bytes` (a ratio of 1; there is no decompression bomb)."""

    bundle_bytes: int = 32 * MIB
    file_bytes: int = 16 * MIB
    files: int = 2000
    name_characters: int = 200
    name_depth: int = 16
    schema_bytes: int = MIB
    manifest_bytes: int = MIB
    index_bytes: int = 16 * MIB


LIMITS = SigningLimits()

"""Limits of the files that signing reads."""

from dataclasses import dataclass

MAX_SIGNATURE_BYTES = 16 * 1024
MOST_SIGNATURES = 8
"""Signature files per bundle."""
MIB = 1024 * 1024


@dataclass(frozen=True)
class SigningLimits:
    """Maximum sizes and numbers. The unpacked size of a bundle needs no limit: its files are not compressed, so they
    are never larger than `bundle_bytes` together."""

    bundle_bytes: int = 32 * MIB
    file_bytes: int = 16 * MIB
    files: int = 2000
    name_characters: int = 200
    name_depth: int = 16
    schema_bytes: int = MIB
    manifest_bytes: int = MIB
    index_bytes: int = 16 * MIB


LIMITS = SigningLimits()

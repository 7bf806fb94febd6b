"""Limits of what signing reads: each is enforced at its very number."""

import dataclasses

import pytest
from pw_modules.author import packed

from pageworker_sandbox.signing import BundleMalformed, read_bundle
from pageworker_sandbox.signing.archive import name_rule, read_archive, write_archive
from pageworker_sandbox.signing.limits import LIMITS, SigningLimits

BUNDLE = packed()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bundle_bytes": len(BUNDLE.data) - 1}, "a bundle has at most"),
        ({"files": 2}, "at most 2 files"),
        ({"file_bytes": 10}, "is larger than 10 bytes"),
        ({"manifest_bytes": 10}, "module.toml has at most 10 bytes"),
        ({"schema_bytes": 10}, "input.schema.json has at most 10 bytes"),
        ({"name_characters": 10}, "at most 10 characters in a name"),
        ({"name_depth": 1}, "at most 1 folders deep"),
    ],
)
def test_a_bundle_past_a_limit_is_refused(changes: dict[str, int], words: str) -> None:
    with pytest.raises(BundleMalformed, match=words):
        read_bundle(BUNDLE.data, dataclasses.replace(LIMITS, **changes))


def test_a_bundle_at_the_limit_is_read() -> None:
    assert read_bundle(BUNDLE.data, dataclasses.replace(LIMITS, bundle_bytes=len(BUNDLE.data), files=3))
    assert name_rule("a" * LIMITS.name_characters) is None


def test_files_are_not_compressed_so_that_unpacking_needs_no_limit() -> None:
    data = write_archive({"a": b"x" * 1_000_000})
    assert len(data) > 1_000_000
    assert sum(map(len, read_archive(data).values())) < SigningLimits().bundle_bytes

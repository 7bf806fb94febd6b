"""The provenance of a release: an in-toto statement. Pure.

It has the form of in-toto's Statement v1 with SLSA's provenance v1, as that of a bundle (docs/adr/0082-provenance.md).
It has no time, so that two builds of one commit have the same statement.
Sources: in-toto.io/Statement/v1, slsa.dev/spec/v1.0/provenance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BUILDER = "urn:pageworker:make-release"
BUILD_TYPE = "urn:pageworker:make-release:1"


@dataclass(frozen=True)
class ReleaseSource:
    """What a release is built of."""

    version: str
    commit: str
    """40 hex digits."""
    base: str
    """The base of the images, `NAME@sha256:…`."""
    locks: Mapping[str, str]
    """SHA-256 of each lock file, by its path."""


def release_statement(source: ReleaseSource, files: Mapping[str, str], images: Mapping[str, str]) -> dict[str, Any]:
    """The statement, for JSON. `files`: SHA-256 by name. `images`: digest of the manifest, `sha256:…`, by name."""
    hashes = {**files, **{name: digest.removeprefix("sha256:") for name, digest in images.items()}}
    base, _, base_digest = source.base.partition("@sha256:")
    dependencies = [
        {"name": "commit", "digest": {"gitCommit": source.commit}},
        {"name": base, "digest": {"sha256": base_digest}},
        *({"name": name, "digest": {"sha256": digest}} for name, digest in sorted(source.locks.items())),
    ]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(hashes.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"version": source.version},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": BUILDER}},
        },
    }

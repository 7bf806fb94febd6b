"""Reads a bundle and what is beside it: the signature file, and the provenance with its signature."""

from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

from pageworker_sandbox.signing import (
    LIMITS,
    PackedBundle,
    PublicKey,
    Signer,
    UntrustedBundle,
    UntrustedProvenance,
    sign_provenance,
)
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES, MOST_SIGNATURES
from pageworker_sandbox.signing.minisig import parse as parse_signature
from pageworker_sandbox.signing.provenance import MAX_STATEMENT_BYTES
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.registry.index_file import PROVENANCE, signature_file
from pageworker_supervisor.registry.registry import utc_now


def read_signed(bundle: Path) -> UntrustedBundle:
    """A bundle with the signatures beside it, none of them verified. Raises CommandError, OSError."""
    data = read_limited(bundle, LIMITS.bundle_bytes)
    path = signature_of(bundle)
    if not path.is_file():
        raise CommandError(
            f"{bundle} is not signed: there is no {path.name}",
            "Sign it with `workerctl module sign`, or publish it with --sign.",
            CommandExit.REFUSED,
        )
    first, *more = [read_limited(each, MAX_SIGNATURE_BYTES) for each in signatures_of(bundle)]
    return UntrustedBundle(data, first, tuple(more))


def signature_of(bundle: Path, number: int = 0) -> Path:
    """The path of a signature file of a bundle: the first, or one of those by more keys."""
    return bundle.with_name(signature_file(bundle.name, number))


def signatures_of(bundle: Path) -> list[Path]:
    """The signature files that are there, up to the first that is missing."""
    return list(takewhile(Path.is_file, (signature_of(bundle, number) for number in range(MOST_SIGNATURES))))


def provenance_of(bundle: Path) -> Path:
    """The path of a bundle's statement of provenance."""
    return bundle.with_name(bundle.name + PROVENANCE)


def read_provenance(bundle: Path) -> UntrustedProvenance | None:
    """The provenance beside a bundle, not verified. None: there is none. Raises CommandError, OSError."""
    statement = provenance_of(bundle)
    if not statement.is_file():
        return None
    signature = signature_of(statement)
    if not signature.is_file():
        raise CommandError(
            f"{statement} is not signed: there is no {signature.name}",
            "Sign the bundle again with `workerctl module sign`, or delete the file.",
            CommandExit.REFUSED,
        )
    return UntrustedProvenance(
        read_limited(statement, MAX_STATEMENT_BYTES), read_limited(signature, MAX_SIGNATURE_BYTES)
    )


def new_provenance(packed: PackedBundle, key: Signer) -> UntrustedProvenance:
    """The provenance of a bundle: built now, by this version of pageworker."""
    return sign_provenance(packed, key, version("pageworker"), utc_now())


def write_provenance(bundle: Path, packed: PackedBundle, key: Signer) -> UntrustedProvenance:
    """Write the provenance of a bundle beside it. Raises OSError."""
    provenance = new_provenance(packed, key)
    statement = provenance_of(bundle)
    statement.write_bytes(provenance.data)
    signature_of(statement).write_bytes(provenance.signature)
    return provenance


def read_limited(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file of at most `most_bytes`. Raises CommandError, OSError."""
    with path.open("rb") as file:
        untrusted = file.read(most_bytes + 1)
    if len(untrusted) > most_bytes:
        raise CommandError(f"{path} is larger than {most_bytes} bytes", "Check that this is the right file.")
    return untrusted


def next_signature(bundle: Path, key: PublicKey) -> Path:
    """Where a signature by one more key goes. Raises CommandError, BadSignature, OSError."""
    there = signatures_of(bundle)
    if len(there) == MOST_SIGNATURES:
        raise CommandError(f"{bundle} has {len(there)} signatures already, and may not have more")
    for path in there:
        if parse_signature(read_limited(path, MAX_SIGNATURE_BYTES)).key_id == key.id:
            raise CommandError(f"{path} is a signature with key {key.name} already", "Sign with another key.")
    return signature_of(bundle, len(there))

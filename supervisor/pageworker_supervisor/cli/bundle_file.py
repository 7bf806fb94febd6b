"""Reads a bundle and the signature file beside it."""

from pathlib import Path

from pageworker_sandbox.signing import LIMITS, UntrustedBundle
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.registry.index_file import MAX_SIGNATURE_BYTES, SIGNATURE


def read_signed(bundle: Path) -> UntrustedBundle:
    """A bundle with the signature beside it, neither of them verified. Raises CommandError, OSError."""
    data = read_limited(bundle, LIMITS.bundle_bytes)
    path = signature_of(bundle)
    if not path.is_file():
        raise CommandError(
            f"{bundle} is not signed: there is no {path.name}",
            "Sign it with `workerctl module sign`, or publish it with --sign.",
            CommandExit.REFUSED,
        )
    return UntrustedBundle(data, read_limited(path, MAX_SIGNATURE_BYTES))


def signature_of(bundle: Path) -> Path:
    """The path of a bundle's signature file."""
    return bundle.with_name(bundle.name + SIGNATURE)


def read_limited(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file of at most `most_bytes`. Raises CommandError, OSError."""
    with path.open("rb") as file:
        untrusted = file.read(most_bytes + 1)
    if len(untrusted) > most_bytes:
        raise CommandError(f"{path} is larger than {most_bytes} bytes", "Check that this is the right file.")
    return untrusted

"""The certificate authorities that the gateway trusts in upstream proxies. It has no files of its own to read them."""

from pathlib import Path

SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Alpine
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # openSUSE
)


def trusted_authorities(extra: Path | None) -> bytes:
    """PEM certificates: those of the system, if it has a bundle, and those of `extra`. Raises OSError for `extra`."""
    system = next((bundle.read_bytes() for bundle in SYSTEM_BUNDLES if bundle.is_file()), b"")
    return system + b"\n" + (b"" if extra is None else extra.read_bytes())

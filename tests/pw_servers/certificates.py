"""A certificate authority of a test's own, and a server certificate for loopback."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


@dataclass(frozen=True)
class Certificates:
    """PEM files."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        """Make them with the openssl program; valid for a day."""
        ca, ca_key = folder / "ca.crt", folder / "ca.key"
        certificate, key = folder / "server.crt", folder / "server.key"
        _openssl(
            *("req", "-x509", *KEY, "-days", "1", "-subj", "/CN=pageworker test CA"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", ca_key, "-out", ca),
        )
        _openssl(
            *("req", "-x509", *KEY, "-days", "1", "-subj", "/CN=localhost", "-CA", ca, "-CAkey", ca_key),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate),
        )
        return cls(ca, certificate, key)

    def server_options(self) -> list[str]:
        """For redis-server; clients need no certificate."""
        return [
            *("--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)),
            *("--tls-ca-cert-file", str(self.ca), "--tls-auth-clients", "no"),
        ]


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)

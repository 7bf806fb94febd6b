"""How the gateway verifies upstream proxies with TLS: by the authorities that it was given, and by host name."""

import contextlib
import re
import ssl

_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def client_context(authorities: str) -> ssl.SSLContext:
    """A context for connections to proxies. `authorities`: PEM certificates, with any text between them.

    Without one, no proxy is accepted. One that is malformed is left out: the system's bundle is not ours, and a gateway
    that does not start takes the network from every runner.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for certificate in _CERTIFICATE.findall(authorities):
        with contextlib.suppress(ssl.SSLError):
            context.load_verify_locations(cadata=certificate)
    return context


def authorities_problem(authorities: str) -> str:
    """Why the gateway would not use all certificates of this text. Empty if it would."""
    found = _CERTIFICATE.findall(authorities)
    if not found:
        return "it contains no certificate"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, certificate in enumerate(found, 1):
        try:
            context.load_verify_locations(cadata=certificate)
        except ssl.SSLError as error:
            return f"certificate {number} of it is malformed: {error.reason or error}"
    return "a certificate of it is malformed" if authorities.count(_BEGIN) != len(found) else ""

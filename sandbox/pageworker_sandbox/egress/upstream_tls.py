"""How the gateway verifies upstream proxies with TLS: by the authorities that it was given, and by host name."""

import re
import ssl

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def client_context(authorities: str) -> ssl.SSLContext:
    """A context for connections to proxies. `authorities`: PEM certificates, with any text between them.

    Without one, no proxy is accepted. Raises ssl.SSLError where a certificate is malformed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if found := _CERTIFICATE.findall(authorities):
        context.load_verify_locations(cadata="\n".join(found))
    return context

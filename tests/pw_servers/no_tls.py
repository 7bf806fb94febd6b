"""For clients of servers on loopback that speak plain HTTP."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""It trusts no certificate. As `verify` of httpx, it saves to read the certificates of the host: 40 ms of CPU."""

"""The login of upstream proxies, as a secret of the fleet holds it. Pure."""

from msgspec import Struct

MAX_BYTES = 255
"""Of user and password each, as in SOCKS 5 (RFC 1929)."""


class LoginInvalid(ValueError):
    """The secret is no login. The message has nothing of its value."""


class ProxyLogin(Struct, frozen=True):
    """User and password of a pool of upstreams."""

    username: str
    password: str

    def __repr__(self) -> str:
        # Tracebacks and logs show arguments.
        return "ProxyLogin()"

    @property
    def pair(self) -> str:
        """`user:password`, as HTTP Basic encodes it."""
        return f"{self.username}:{self.password}"


def parse_login(secret_value: str) -> ProxyLogin:
    """`user:password`; the password may contain colons. Raises LoginInvalid."""
    username, colon, password = secret_value.partition(":")
    if not colon or not username or not password:
        raise LoginInvalid("its value is not of the form user:password")
    if max(len(username.encode()), len(password.encode())) > MAX_BYTES:
        raise LoginInvalid(f"user and password have at most {MAX_BYTES} bytes each")
    if not secret_value.isprintable():
        raise LoginInvalid("it contains control characters")
    return ProxyLogin(username, password)

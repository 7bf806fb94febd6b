"""Where the egress gateway has connected to for a request, as one line. Pure.

The gateway writes the line into the runner's failure pipe before it sends the request. To the browser, each origin has
the address of the gateway. Only what a public name resolved to is reported: no address that the operator has set for a
host (`egress.hosts`), and none of an upstream proxy.
"""

import re
from dataclasses import dataclass

_LINE = re.compile(r"origin ([^\s:]{1,300}) ([0-9a-f.|]{2,45})")


@dataclass(frozen=True, slots=True)
class OriginAddress:
    """The latest address of one origin."""

    authority: str
    """`host:port` as in a request line."""
    address: str
    """IPv4 or IPv6, without brackets."""

    @property
    def line(self) -> str:
        """One line of words, without a colon and without its end."""
        return f"origin {self.authority.replace(':', '|')} {self.address.replace(':', '|')}"


def parse_address(untrusted: str) -> OriginAddress | None:
    """The address that a line has. None: it is not such a line."""
    found = _LINE.fullmatch(untrusted)
    return None if found is None else OriginAddress(found[1].replace("|", ":"), found[2].replace("|", ":"))

"""What jobs, runners and tenants have used of the network, as the egress gateway counts it. Pure."""

from typing import Self

from msgspec import Struct

MAX_COUNT = 2**53 - 1
"""The largest integer that JSON readers and Lua keep exactly (RFC 8259, section 6)."""


class Traffic(Struct, frozen=True):
    """Requests, and bytes between the gateway and the hosts. Each number is 0 to MAX_COUNT."""

    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            min(MAX_COUNT, self.requests + other.requests),
            min(MAX_COUNT, self.bytes_in + other.bytes_in),
            min(MAX_COUNT, self.bytes_out + other.bytes_out),
        )

    def since(self, earlier: "Traffic") -> "Traffic":
        """What was added after `earlier`. A number that went down counts as unchanged."""
        return Traffic(
            max(0, self.requests - earlier.requests),
            max(0, self.bytes_in - earlier.bytes_in),
            max(0, self.bytes_out - earlier.bytes_out),
        )

    @property
    def text(self) -> str | None:
        """`<requests> <bytes in> <bytes out>`, as Redis keeps it. None if nothing was used."""
        if self == NO_TRAFFIC:
            return None
        return f"{self.requests} {self.bytes_in} {self.bytes_out}"

    @classmethod
    def of_text(cls, text: str | None) -> Self:
        """Parse what `text` gave."""
        return cls(*map(int, text.split(" "))) if text else cls()


NO_TRAFFIC = Traffic()

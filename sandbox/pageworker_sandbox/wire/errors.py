"""What can go wrong on a channel, by blame."""

from typing import Literal


class WireError(Exception):
    """Base: the channel cannot be used any more."""


class ProtocolViolation(WireError):
    """The peer sent something that the protocol does not permit. Kill the peer and discard what it sent."""


class ChannelClosed(WireError):
    """The peer has closed the channel or has ended."""


class OutputExceeded(ProtocolViolation):
    """The peer sent more output than an attempt may. A correct runner stops its module well before this limit."""

    def __init__(self, used: int, allowed: int, unit: Literal["bytes", "lines", "artifacts"]) -> None:
        super().__init__(f"{used} {unit} of output, at most {allowed} are permitted")
        self.used = used
        self.allowed = allowed
        self.unit = unit

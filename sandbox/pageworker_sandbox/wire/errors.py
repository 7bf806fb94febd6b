"""What can go wrong on the wire, by blame."""

from typing import Literal


class WireError(Exception):
    """Base: the channel can not be used any more."""


class ProtocolViolation(WireError):
    """The peer sent what its table does not permit. The peer is to be killed; nothing it said is kept."""


class ChannelClosed(WireError):
    """The peer is gone: end of file or a reset."""


class OutputExceeded(ProtocolViolation):
    """The peer said, or left, more than an attempt may: the runner's own side stops modules well before."""

    def __init__(self, used: int, allowed: int, unit: Literal["bytes", "lines", "artifacts"]) -> None:
        super().__init__(f"{used} {unit} of output, at most {allowed}")
        self.used = used
        self.allowed = allowed
        self.unit = unit

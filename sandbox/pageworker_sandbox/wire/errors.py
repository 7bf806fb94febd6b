"""What can go wrong on the wire, by blame."""


class WireError(Exception):
    """Base: the channel can not be used any more."""


class ProtocolViolation(WireError):
    """The peer sent what its table does not permit. The peer is to be killed; nothing it said is kept."""


class ChannelClosed(WireError):
    """The peer is gone: end of file or a reset."""

"""What a runner hands over as data: MessagePack of anything, until it is JSON."""

import msgspec


class NotJson(Exception):
    """It is no MessagePack, or holds what JSON cannot say. The blame is the runner's: its own side checks first."""


def json_of(untrusted_data: msgspec.Raw) -> msgspec.Raw:
    """The same data as JSON. Raises Untellable."""
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.msgpack.decode(untrusted_data)))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotJson(str(error)) from error

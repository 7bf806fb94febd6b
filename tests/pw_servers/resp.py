"""Where one RESP2 or RESP3 value ends: enough to cut a stream of requests or replies between values."""

_LINES = frozenset(b"+-:_,#(")
_BLOBS = frozenset(b"$=!")
_AGGREGATES = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2, ord("|"): 2}
PUSH = ord(">")


class RespCutter:
    """Feed bytes, take whole values. Keeps only the unfinished tail."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Whole values in order, as the bytes they came in."""
        buffer = self._tail + data
        values: list[bytes] = []
        start = 0
        while (end := _end(buffer, start)) is not None:
            values.append(buffer[start:end])
            start = end
        self._tail = buffer[start:]
        return values


def _end(buffer: bytes, start: int) -> int | None:
    """Index after the value that begins at `start`; None while it is not all there."""
    position, left = start, 1
    while left:
        line = buffer.find(b"\r\n", position)
        if line < 0:
            return None
        kind, count = buffer[position], buffer[position + 1 : line]
        position = line + 2
        left -= 1
        if kind in _BLOBS:
            if int(count) >= 0:
                position += int(count) + 2
                if position > len(buffer):
                    return None
        elif kind in _AGGREGATES:
            left += max(int(count), 0) * _AGGREGATES[kind]
            # An attribute precedes the value that it belongs to.
            left += kind == ord("|")
        elif kind not in _LINES:
            raise ValueError(f"not RESP: {buffer[start : start + 40]!r}")
    return position


def words(request: bytes) -> list[bytes]:
    """The words of a command as clients send it: an array of blobs."""
    parts = request.split(b"\r\n")
    return parts[2::2]

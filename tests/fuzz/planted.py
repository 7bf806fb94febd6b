"""A parser with a mistake that only coverage feedback finds soon. Each run of the suite must find it first."""

from fuzz.target import FuzzTarget


def run(data: bytes) -> None:
    """Read four fields. Raises ValueError for a field that is wrong; the mistake is an IndexError."""
    for place, byte in enumerate(b"PW1:"):
        if data[place : place + 1] != bytes((byte,)):
            raise ValueError(f"field {place}")
    if len(data) > 8:
        b""[data[4]]


TARGET = FuzzTarget("planted", run, raises=(ValueError,), seeds=(b"P",))

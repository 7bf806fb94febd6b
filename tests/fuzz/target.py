"""What is fuzzed: one parser, or one protocol object, behind a function of bytes."""

from collections.abc import Callable
from dataclasses import dataclass

SEPARATOR = b"\xfe\xff\xfe"
"""Between the parts of an input that has several. A mutation moves it as any other bytes."""


@dataclass(frozen=True)
class FuzzTarget:
    """A target of the fuzzer. `run` takes any bytes; what it raises beside `raises` is a finding."""

    name: str
    run: Callable[[bytes], object]
    raises: tuple[type[BaseException], ...]
    """Nothing else may be raised. An AssertionError is a broken property."""
    seeds: tuple[bytes, ...]
    """Inputs that reach the parts of the code that mutations alone would find late. Each must run without a finding."""
    words: tuple[bytes, ...] = ()
    """Words of the format, for mutations."""
    share: float = 1.0
    """Of the inputs of a run, in proportion to the other targets."""
    longest: int = 2048
    """Bytes of an input."""


def parts_of(data: bytes, most: int) -> list[bytes]:
    """The parts of an input, at most `most`; the last one keeps the rest."""
    return data.split(SEPARATOR, most - 1)


def pieces_of(data: bytes, size: int) -> list[bytes]:
    """The bytes in pieces of this size. 0: in one piece."""
    return [data[at : at + size] for at in range(0, len(data), size)] if size else [data]

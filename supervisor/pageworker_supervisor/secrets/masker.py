"""Replaces the secrets that a job was granted by `(secret NAME)`, in bytes, text and plain data. Pure.

Masking prevents accidents: a log line with a password, a trace with a login. It is no boundary against a hostile
author, who may write a secret backwards.
"""

from collections.abc import Iterator
from typing import Any

from pageworker_supervisor.secrets.secret_forms import LEAST_BYTES, forms_of

Span = tuple[int, int, str]
"""From, to, the secret's name."""


class SecretMasker:
    """The secrets of one job, or of a whole worker. Without secrets every method returns what it was given."""

    def __init__(self, most: int | None = None) -> None:
        """`most`: values that are kept; then each new one replaces the one that was added longest ago."""
        self._known: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self._most = most

    def __bool__(self) -> bool:
        return bool(self._known)

    @property
    def secrets(self) -> tuple[tuple[str, str], ...]:
        """Names and values."""
        return tuple(self._known)

    def add(self, name: str, value: str) -> bool:
        """Mask this value from now on. False: it is too short, and is not masked."""
        forms = self._known.pop((name, value), None) or forms_of(value)
        if forms:
            self._known[name, value] = forms
        if self._most is not None and len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return bool(forms)

    def data(self, untrusted_data: bytes, *, cut: bool = False) -> bytes:
        """Bytes without the secrets. `cut`: they may be a part of a longer text, so its ends may hold parts of one."""
        spans = sorted(self._spans(untrusted_data, cut=cut), key=lambda span: (span[0], -span[1]))
        if not spans:
            return untrusted_data
        parts: list[bytes] = []
        end = 0
        for start, stop, name in spans:
            # A span that overlaps the one before belongs to its mask.
            if start >= end:
                parts += [untrusted_data[end:start], b"(secret %s)" % name.encode()]
            end = max(end, stop)
        return b"".join([*parts, untrusted_data[end:]])

    def text(self, untrusted_text: str, *, cut: bool = True) -> str:
        """Text without the secrets. Error messages and log lines have a maximum length: both ends may be cut."""
        if not self._known:
            return untrusted_text
        data = untrusted_text.encode("utf-8", "surrogatepass")
        masked = self.data(data, cut=cut)
        return untrusted_text if masked is data else masked.decode("utf-8", "replace")

    def plain(self, untrusted_value: Any) -> Any:
        """The same for JSON-like data, keys included."""
        if not self._known:
            return untrusted_value
        match untrusted_value:
            case str():
                return self.text(untrusted_value, cut=False)
            case bytes():
                return self.data(untrusted_value)
            case dict():
                return {self.plain(key): self.plain(inner) for key, inner in untrusted_value.items()}
            case list() | tuple():
                return [self.plain(inner) for inner in untrusted_value]
            case bool() | None:
                return untrusted_value
            case int() | float():
                written = str(untrusted_value)
                masked = self.text(written, cut=False)
                return untrusted_value if masked == written else masked
        return untrusted_value

    def _spans(self, data: bytes, *, cut: bool) -> Iterator[Span]:
        for (name, _), forms in self._known.items():
            for form in forms:
                start = data.find(form)
                while start >= 0:
                    yield start, start + len(form), name
                    # One byte further: occurrences of `abab` in `ababab` overlap.
                    start = data.find(form, start + 1)
                if cut:
                    yield from _at_the_ends(data, form, name)


def _at_the_ends(data: bytes, form: bytes, name: str) -> Iterator[Span]:
    """A beginning of the form at the end of the data, and an end of it at the beginning, of LEAST_BYTES at least."""
    tail_from = max(0, len(data) - len(form) + 1)
    start = data.find(form[:LEAST_BYTES], tail_from)
    while start >= 0:
        if form.startswith(data[start:]):
            yield start, len(data), name
            break
        start = data.find(form[:LEAST_BYTES], start + 1)
    head = data[: len(form) - 1]
    stop = head.rfind(form[-LEAST_BYTES:])
    while stop >= 0:
        if form.endswith(head[: stop + LEAST_BYTES]):
            yield 0, stop + LEAST_BYTES, name
            break
        stop = head.rfind(form[-LEAST_BYTES:], 0, stop + LEAST_BYTES - 1)

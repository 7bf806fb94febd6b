"""Reads pushed texts that are not JSON to the letter, but whose meaning is plain. Pure.

A job whose ids can be read gets an answer under its ids, whatever is wrong with the rest of its text. So a text that
the decoder refuses is read once more:

| what is wrong | what is read |
|---|---|
| byte order mark, UTF-16 or UTF-32 with one, invisible characters around the JSON | the JSON (RFC 8259, 8.1) |
| half of a surrogate pair (`\\ud83d`, an emoji that was cut), bytes that are not UTF-8 | U+FFFD, as browsers do |
| JSON that was encoded twice: a string that holds the job | the job |
| NaN, Infinity, a number that is too large for JSON's readers | nothing: the field is named |

The strict decoder comes first, so a text that is JSON costs nothing more.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job import too_deep

BYTE_ORDER_MARKS = (
    # UTF-32's mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
INVISIBLE = " \t\r\n\ufeff\u200b\u200c\u200d\u2060\u00a0\u2028\u2029\x00"
"""Characters that editors and web pages leave around a text: marks, zero-width and other spaces, line ends."""
MAX_REPAIRED_BYTES = 1024 * 1024
"""A larger text is not read again: that takes some 10 ms per MiB, in which the worker does nothing else."""
MAX_LIST = 1000
"""Jobs in one list. A rejection costs more than the two bytes that an element needs."""
BLANKS = 64
"""White space before a list that is looked behind."""
MAX_DIGITS = 400
"""Longest number that is read. CPython refuses one of 4300 digits."""


class RepairedText(Struct, frozen=True):
    """JSON with the same meaning. `bad_number`: the path of a number that no reader of JSON takes; null in `json`."""

    json: bytes
    bad_number: str | None = None


class _BadNumber:
    """Stands for NaN, an infinity, or a number that is too large."""


BAD_NUMBER = _BadNumber()


def repaired(untrusted_text: bytes) -> list[RepairedText]:
    """The job of the text, or the jobs of a list, as JSON. Empty: it cannot be read as either."""
    if len(untrusted_text) > MAX_REPAIRED_BYTES:
        return []
    value = _read(_characters(untrusted_text))
    if isinstance(value, str):
        value = _read(value.strip(INVISIBLE))
    if isinstance(value, dict):
        return [_repaired(value)]
    return [_repaired(each) for each in value] if isinstance(value, list) and len(value) <= MAX_LIST else []


def list_of_texts(untrusted_text: bytes) -> list[bytes]:
    """The elements of a JSON list, each as JSON. Empty: the text is something else, or has more than MAX_LIST.

    Producers that collect jobs push them as one list. Elements are split without being decoded.
    """
    if not untrusted_text[:BLANKS].lstrip().startswith(b"[") or too_deep(untrusted_text):
        return []
    try:
        elements = msgspec.json.decode(untrusted_text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    return [bytes(element) for element in elements] if len(elements) <= MAX_LIST else []


def _repaired(value: Any) -> RepairedText:
    path = next(_bad_numbers(value, ""), None)
    return RepairedText(_without_halves(json.dumps(value, ensure_ascii=False, default=lambda _: None)), path)


def _characters(untrusted_text: bytes) -> str:
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if untrusted_text.startswith(mark)), "utf-8")
    return untrusted_text.decode(encoding, "replace").strip(INVISIBLE)


def _read(text: str) -> Any:
    """The value, with BAD_NUMBER for what is no number. None if the text is not JSON."""
    if too_deep(text.encode("utf-8", "replace")):
        return None
    try:
        return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=lambda _: BAD_NUMBER)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= MAX_DIGITS else BAD_NUMBER


def _float(digits: str) -> Any:
    number = float(digits)
    return number if abs(number) != float("inf") else BAD_NUMBER


def _bad_numbers(value: Any, path: str) -> Iterator[str]:
    """`payload.offers[3].price` of each."""
    if value is BAD_NUMBER:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _bad_numbers(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _bad_numbers(inner, f"{path}[{index}]")


def _without_halves(text: str) -> bytes:
    """UTF-8. A half of a surrogate pair becomes U+FFFD; two halves that belong together become their character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()

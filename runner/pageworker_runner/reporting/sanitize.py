"""Text from foreign code, made fit for the wire: bounded, and free of what UTF-8 can't hold."""

from collections.abc import Mapping


def fit(text: str, chars: int) -> str:
    """At most `chars` of `text`; lone surrogates become question marks."""
    return text[:chars].encode(errors="replace").decode()


def fit_fields(fields: Mapping[str, object], *, count: int, value_chars: int, total_chars: int) -> dict[str, str]:
    """The first `count` fields as short strings, as long as all of them together stay below `total_chars`."""
    kept: dict[str, str] = {}
    for name, value in list(fields.items())[:count]:
        key, text = fit(str(name), 64), fit(str(value), value_chars)
        total_chars -= len(key) + len(text)
        if total_chars < 0:
            break
        kept[key] = text
    return kept

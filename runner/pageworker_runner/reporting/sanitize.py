"""Makes text from foreign code fit for the wire: bounded, and encodable as UTF-8."""

from collections.abc import Mapping

from pageworker.well_formed import well_formed


def fit(text: str, chars: int) -> str:
    """The first `chars` characters of `text`, with U+FFFD for lone surrogates."""
    return well_formed(text[:chars])


def fit_fields(fields: Mapping[str, object], *, count: int, value_chars: int, total_chars: int) -> dict[str, str]:
    """The first `count` fields as short strings, up to the first one that exceeds `total_chars` of all together."""
    kept: dict[str, str] = {}
    for name, value in list(fields.items())[:count]:
        key, text = fit(str(name), 64), fit(str(value), value_chars)
        total_chars -= len(key) + len(text)
        if total_chars < 0:
            break
        kept[key] = text
    return kept

"""Hides credentials in what a recording holds: headers that authenticate, cookies, secret options. Pure.

Recordings are plain JSON, with headers as `{"name": …, "value": …}`, in a HAR as well as in a trace of Playwright.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageworker_sandbox.wire.page_options import HIDDEN, PageOptions

SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
COOKIES = "cookies"
SHORTEST_VALUE_CHARS = 6
"""A shorter value is hidden in its own header only: elsewhere it would hide text that is no secret."""


@dataclass(frozen=True)
class Redaction:
    """What is hidden. `headers`: lower-case names, whose values are. `values`: texts, wherever they occur."""

    headers: frozenset[str] = SECRET_HEADERS
    values: tuple[str, ...] = ()

    def of(self, value: Any) -> Any:
        """A copy of a plain value without what is hidden."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.of(each) for each in value]
        if isinstance(value, dict):
            return self._table(value)
        return value

    def _text(self, text: str) -> str:
        for value in self.values:
            if value in text:
                text = text.replace(value, HIDDEN)
        return text

    def _table(self, table: Mapping[str, Any]) -> dict[str, Any]:
        name = table.get("name")
        if isinstance(name, str) and name.lower() in self.headers and "value" in table:
            return {**table, "value": HIDDEN}
        return {key: _without_values(part) if key == COOKIES else self.of(part) for key, part in table.items()}


def redaction(options: PageOptions) -> Redaction:
    """What is hidden in recordings of a browser context with these options."""
    headers = options.extra_http_headers or {}
    password = () if options.http_credentials is None else (options.http_credentials.password,)
    values = {value for value in (*headers.values(), *password) if len(value) >= SHORTEST_VALUE_CHARS}
    return Redaction(
        headers=SECRET_HEADERS | {name.lower() for name in headers},
        # The longest first: one may be a part of another.
        values=tuple(sorted(values, key=len, reverse=True)),
    )


def _without_values(cookies: Any) -> Any:
    if not isinstance(cookies, list):
        return cookies
    return [{**each, "value": HIDDEN} if isinstance(each, dict) and "value" in each else each for each in cookies]

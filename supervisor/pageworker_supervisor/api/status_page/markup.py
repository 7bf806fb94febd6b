"""Builds HTML out of elements and texts. A text cannot become an element (ADR 115). Pure.

There is no way to put finished HTML in. Names of elements and attributes come from the lists below; no attribute of
them runs a script or holds a style. An address is a path of this page and fields of its query, never a foreign text.
"""

import html
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from pageworker_supervisor.contract.printable import printable, printable_lines

ELEMENTS: Final = frozenset(
    (
        *("html", "head", "meta", "title", "link", "body", "header", "nav", "main", "footer", "section", "div", "span"),
        *("h1", "h2", "h3", "p", "a", "ul", "li", "dl", "dt", "dd", "strong", "code", "pre", "time", "img", "details"),
        *("summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "form", "label", "input", "select"),
        *("option", "button"),
    )
)
ADDRESSES: Final = frozenset(("href", "src", "action"))
ATTRIBUTES: Final = frozenset(
    (
        *("class", "id", "lang", "charset", "name", "content", "rel", "type", "scope", "datetime", "alt", "loading"),
        *("value", "for", "method", "selected", "required", "autocomplete", "maxlength", "tabindex", "role"),
        *("aria-current", "aria-label", "aria-labelledby", "width", "height"),
        *ADDRESSES,
    )
)
VOID: Final = frozenset(("meta", "link", "img", "input"))
"""They have no content and no end tag (https://html.spec.whatwg.org/#void-elements)."""


class Address(Struct, frozen=True):
    """A path of this page with a query. `path` is ours; the values of `query` may be foreign."""

    path: str
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def having(self, **fields: str) -> "Address":
        """With these fields; "" takes one away."""
        merged = {**dict(self.query), **fields}
        return Address(self.path, tuple((name, value) for name, value in merged.items() if value))


class Element(Struct, frozen=True):
    """An element. Its attributes have a value each."""

    name: str
    attributes: Mapping[str, str | Address]
    children: tuple["Node", ...]


class Preformatted(Struct, frozen=True):
    """A text whose line feeds stay."""

    text: str


Node = Element | Preformatted | str | int | None
"""None: nothing. A text is escaped when it is written."""


def element(tag: str, /, *children: Node | Iterable[Node], **attributes: str | Address | None) -> Element:
    """An element. `class_` and `for_` stand for `class` and `for`, `aria_label` for `aria-label`; None leaves one out.

    Raises ValueError for an element or attribute that is not in the lists, or an address that is a text.
    """
    if tag not in ELEMENTS:
        raise ValueError(f"no element of this page: {tag}")
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    for key, value in given.items():
        if key not in ATTRIBUTES or (key in ADDRESSES) != isinstance(value, Address):
            raise ValueError(f"no attribute of this page: {key}={value!r}")
    return Element(tag, MappingProxyType(given), tuple(_flat(children)))


def address(path: str, **fields: str) -> Address:
    """An address of this page."""
    return Address(path, tuple((name, value) for name, value in fields.items() if value))


def rendered(node: Node) -> str:
    """The HTML of a node."""
    parts: list[str] = []
    _render(node, parts)
    return "".join(parts)


def _flat(children: Iterable[Node | Iterable[Node]]) -> Iterable[Node]:
    for child in children:
        if child is None or isinstance(child, Element | Preformatted | str | int):
            yield child
        else:
            yield from child


def _render(node: Node, parts: list[str]) -> None:
    match node:
        case None:
            return
        case Preformatted():
            parts.append(html.escape(printable_lines(node.text)))
        case Element():
            attributes = "".join(f' {key}="{_escaped(str(value))}"' for key, value in node.attributes.items())
            parts.append(f"<{node.name}{attributes}>")
            for child in node.children:
                _render(child, parts)
            if node.name not in VOID:
                parts.append(f"</{node.name}>")
        case int():
            parts.append(f"{node:,}")
        case str():
            parts.append(_escaped(node))


def _escaped(untrusted_text: str) -> str:
    return html.escape(printable(untrusted_text))

"""Reads the corpus, and renders a page of it as HTML."""

import html
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_sandbox.blockers.rules import BlockerKind
from pageworker_sandbox.blockers.signs import PageSight

Half = Literal["open", "frozen"]
FOLDER = Path(__file__).parent
# What a selector of the corpus may be: a tag, then an id, a class or a type.
SELECTOR = re.compile(r"([a-z]*)(?:#([\w-]+)|\.([\w-]+)|\[type=(\w+)\])?")


class ExpectedBlocker(Struct, frozen=True, forbid_unknown_fields=True):
    """What the rules should say."""

    kind: BlockerKind
    provider: str | None


class CorpusPage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One page. `expected` is None for an innocent page. `source` describes pages of this kind publicly."""

    name: str
    expected: ExpectedBlocker | None
    source: str
    url: str
    status: int
    headers: dict[str, str] = {}
    cookies: tuple[str, ...] = ()
    title: str
    text: str
    text_length: int | None = None
    """Of the whole text, if `text` is the part of a long one. None: `text` is all of it."""
    sources: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    """Visible elements, each as the shortest selector of it."""

    @property
    def sight(self) -> PageSight:
        """What the rules look at."""
        return PageSight(
            url=self.url,
            status=self.status,
            headers=self.headers,
            cookies=frozenset(self.cookies),
            title=self.title,
            text=self.text,
            text_length=len(self.text) if self.text_length is None else self.text_length,
            sources=self.sources,
            elements=frozenset(self.elements),
        )

    @property
    def html(self) -> str:
        """A document with these features. Scripts have a type that no browser runs, so that the page stays as it is."""
        scripts = "".join(f'<script type="text/x" src="{html.escape(each)}"></script>' for each in self.sources)
        # The text of a page that is longer than the corpus says is filled with words that mean nothing.
        filler = " lorem" * max(0, ((self.text_length or 0) - len(self.text)) // 6)
        return (
            f"<!doctype html><meta charset=utf-8><title>{html.escape(self.title)}</title>{scripts}"
            f"<body><p>{html.escape(self.text)}{filler}</p>{''.join(map(_element, self.elements))}</body>"
        )


@cache
def pages_of(half: Half) -> Sequence[CorpusPage]:
    """All pages of one half of the corpus."""
    return msgspec.json.decode((FOLDER / f"{half}_pages.json").read_bytes(), type=list[CorpusPage])


def page_named(name: str) -> CorpusPage:
    """The page of this name, of either half."""
    return next(page for half in ("open", "frozen") for page in pages_of(half) if page.name == name)


def _element(selector: str) -> str:
    parts = SELECTOR.fullmatch(selector)
    assert parts is not None, selector
    tag, name, css_class, kind = parts.groups()
    has = f'id="{name}"' if name else f'class="{css_class}"' if css_class else f'type="{kind}"' if kind else ""
    return f'<{tag or "div"} {has} style="display:block;width:9px;height:9px"></{tag or "div"}>'

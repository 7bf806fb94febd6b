"""The kinds of signs in a blocker rule, and what of a page each of them reads. Pure.

A sign is found or not. What is found is the evidence in the result. Texts and globs are compared in lower case.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta, Struct

MAX_PATTERN = 200
Pattern = Annotated[str, Meta(min_length=1, max_length=MAX_PATTERN)]
Weight = Annotated[float, Meta(ge=-2, le=2)]


class PageSight(Struct, frozen=True, kw_only=True):
    """What a page's main document shows. The texts are the site's, cut to a length."""

    url: str = ""
    status: int | None = None
    """Of the answer. None: not known, as of a document that a script wrote."""
    headers: Mapping[str, str] = {}
    """Of the answer, names in lower case."""
    cookies: frozenset[str] = frozenset()
    """Names of the cookies that the browser sends to this URL."""
    title: str = ""
    text: str = ""
    """The beginning of what a reader sees."""
    text_length: int = 0
    """Characters of all of it."""
    sources: tuple[str, ...] = ()
    """URLs of scripts and frames, and targets of forms."""
    elements: frozenset[str] = frozenset()
    """Those of the rules' selectors that match a visible element."""


class Sign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="sign"):
    """What all signs have. `weight` is added to the sum of the rule if the sign is found; below 0, it is against it.

    Each kind also has `name` for the evidence, and `found`: what was found, for the evidence; None if nothing was.
    """

    weight: Weight


class StatusSign(Sign, frozen=True, kw_only=True, tag="status"):
    """The answer has one of these HTTP statuses."""

    any_of: tuple[Annotated[int, Meta(ge=100, le=999)], ...]

    @property
    def name(self) -> str:
        """For the evidence."""
        return "status"

    def found(self, sight: PageSight) -> str | None:
        """The status."""
        return str(sight.status) if sight.status in self.any_of else None


class HeaderSign(Sign, frozen=True, kw_only=True, tag="header"):
    """The answer has this header. `value` is a glob."""

    header: Pattern
    value: Pattern = "*"

    @property
    def name(self) -> str:
        """For the evidence."""
        return f"header {self.header.lower()}"[:64]

    def found(self, sight: PageSight) -> str | None:
        """The header's value."""
        value = sight.headers.get(self.header.lower())
        return value if value is not None and fnmatchcase(value.lower(), self.value.lower()) else None


class CookieSign(Sign, frozen=True, kw_only=True, tag="cookie"):
    """The site has set a cookie whose name matches this glob."""

    cookie: Pattern

    @property
    def name(self) -> str:
        """For the evidence."""
        return "cookie"

    def found(self, sight: PageSight) -> str | None:
        """The cookie's name."""
        return next((each for each in sorted(sight.cookies) if fnmatchcase(each.lower(), self.cookie.lower())), None)


class UrlSign(Sign, frozen=True, kw_only=True, tag="url"):
    """The document's URL matches this glob."""

    url: Pattern

    @property
    def name(self) -> str:
        """For the evidence."""
        return "url"

    def found(self, sight: PageSight) -> str | None:
        """The glob: the result names the URL already."""
        return self.url if fnmatchcase(sight.url.lower(), self.url.lower()) else None


class TitleSign(Sign, frozen=True, kw_only=True, tag="title"):
    """The title contains one of these texts."""

    any_of: tuple[Pattern, ...]

    @property
    def name(self) -> str:
        """For the evidence."""
        return "title"

    def found(self, sight: PageSight) -> str | None:
        """The text."""
        return _first_within(self.any_of, sight.title)


class TextSign(Sign, frozen=True, kw_only=True, tag="text"):
    """What a reader sees contains one of these texts."""

    any_of: tuple[Pattern, ...]

    @property
    def name(self) -> str:
        """For the evidence."""
        return "text"

    def found(self, sight: PageSight) -> str | None:
        """The text."""
        return _first_within(self.any_of, sight.text)


class SourceSign(Sign, frozen=True, kw_only=True, tag="source"):
    """A script, frame or form of the document has a URL that matches this glob."""

    source: Pattern

    @property
    def name(self) -> str:
        """For the evidence."""
        return "source"

    def found(self, sight: PageSight) -> str | None:
        """The first such URL."""
        return next((each for each in sight.sources if fnmatchcase(each.lower(), self.source.lower())), None)


class ElementSign(Sign, frozen=True, kw_only=True, tag="element"):
    """A visible element matches this CSS selector."""

    selector: Pattern

    @property
    def name(self) -> str:
        """For the evidence."""
        return "element"

    def found(self, sight: PageSight) -> str | None:
        """The selector."""
        return self.selector if self.selector in sight.elements else None


class LengthSign(Sign, frozen=True, kw_only=True, tag="length"):
    """A reader sees fewer characters than this, so that little but the blocker can be there."""

    below: Annotated[int, Meta(ge=1, le=100_000)]

    @property
    def name(self) -> str:
        """For the evidence."""
        return "length"

    def found(self, sight: PageSight) -> str | None:
        """The number of characters."""
        return f"{sight.text_length} characters" if sight.text_length < self.below else None


AnySign = StatusSign | HeaderSign | CookieSign | UrlSign | TitleSign | TextSign | SourceSign | ElementSign | LengthSign


def _first_within(wanted: tuple[str, ...], text: str) -> str | None:
    lower = text.lower()
    return next((each for each in wanted if each.lower() in lower), None)

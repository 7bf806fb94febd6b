"""Answers requests from a HAR file, by the rules of Playwright's driver. Pure: bytes in, answers out.

The driver opens a HAR by its path, and no file of a bundle has one on disk. So the runner reads it here.

Source: packages/playwright-core/src/server/harBackend.ts.
"""

import base64
import binascii
import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

REDIRECTS = frozenset((301, 302, 303, 307, 308))


class HarUnreadable(ValueError):
    """The file is no HAR, or an entry of it has no content that can be read."""


class HarHeader(msgspec.Struct, frozen=True):
    """One header of a request or an answer."""

    name: str
    value: str

    @property
    def line(self) -> str:
        """To compare by."""
        return f"{self.name.lower()}:{self.value}"


class HarContent(msgspec.Struct, frozen=True):
    """The body of a request or an answer."""

    text: str | None = None
    encoding: str | None = None
    file: str | None = msgspec.field(default=None, name="_file")
    """Its name, if the body is in a file beside the HAR."""


class HarRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What was asked."""

    url: str
    method: str
    headers: tuple[HarHeader, ...] = ()
    post_data: HarContent | None = None


class HarResponse(msgspec.Struct, frozen=True):
    """What was answered."""

    status: int
    headers: tuple[HarHeader, ...] = ()
    content: HarContent = HarContent()

    @property
    def location(self) -> str | None:
        """Where it redirects to. None: it does not."""
        if self.status not in REDIRECTS:
            return None
        return next((each.value for each in self.headers if each.name.lower() == "location"), None)


class HarEntry(msgspec.Struct, frozen=True):
    """One request with its answer."""

    request: HarRequest
    response: HarResponse


class HarLog(msgspec.Struct, frozen=True):
    """All entries, in the order of the file."""

    entries: tuple[HarEntry, ...] = ()
    """None at all: as for the driver, it answers nothing."""


class HarDocument(msgspec.Struct, frozen=True):
    """The whole file."""

    log: HarLog


@dataclass(frozen=True)
class HarQuery:
    """A request that a page makes now."""

    url: str
    method: str
    headers: tuple[HarHeader, ...] = ()
    post_data: bytes | None = None
    is_navigation: bool = False


@dataclass(frozen=True)
class HarAnswer:
    """What answers it."""

    status: int
    """-1: the recorded request was never answered."""
    headers: tuple[HarHeader, ...]
    body: bytes


@dataclass(frozen=True)
class HarRedirect:
    """A navigation goes to this address instead."""

    url: str


ReadBeside = Callable[[str], bytes | None]
"""Takes the name of a file in the HAR's folder. None: no such file."""


class HarArchive:
    """The entries of a HAR, and the files that they name."""

    def __init__(self, entries: Sequence[HarEntry], read_beside: ReadBeside) -> None:
        self._entries = entries
        self._read_beside = read_beside

    def lookup(self, query: HarQuery) -> HarAnswer | HarRedirect | None:
        """What the HAR has for this request, after its redirects. None: nothing. Raises HarUnreadable."""
        entry = self._find(query)
        if entry is None:
            return None
        if query.is_navigation and entry.request.url != query.url:
            return HarRedirect(entry.request.url)
        response = entry.response
        return HarAnswer(response.status, response.headers, self._content(response.content))

    def _find(self, query: HarQuery) -> HarEntry | None:
        url, method = query.url, query.method
        visited: list[HarEntry] = []
        asked = {each.line for each in query.headers}
        while found := [each for each in self._entries if self._fits(each.request, url, method, query)]:
            # Of entries that match equally well, the first one.
            entry = max(found, key=lambda each: sum(header.line in asked for header in each.request.headers))
            if any(entry is each for each in visited):
                raise HarUnreadable(f"The HAR has a cycle of redirects for {url}.")
            visited.append(entry)
            if (location := entry.response.location) is None:
                return entry
            url = _absolute(url, location)
            method = _method_after(entry.response.status, method)
        return None

    def _fits(self, recorded: HarRequest, url: str, method: str, query: HarQuery) -> bool:
        if recorded.url != url or recorded.method != method:
            return False
        if method != "POST" or not query.post_data or recorded.post_data is None:
            return True
        body = self._content(recorded.post_data)
        return body == query.post_data or _same_form(body, recorded.headers, query.post_data, query.headers)

    def _content(self, content: HarContent) -> bytes:
        if content.file:
            name = posixpath.normpath(content.file)
            if name.startswith(("/", "..")):
                raise HarUnreadable(f"The HAR names {content.file}, which is outside of its folder.")
            if (data := self._read_beside(name)) is None:
                raise HarUnreadable(f"The HAR names {content.file}, which is not in its folder.")
            return data
        text = content.text or ""
        try:
            return base64.b64decode(text) if content.encoding == "base64" else text.encode()
        except binascii.Error as error:
            raise HarUnreadable(f"The HAR has a body that is not base64: {error}.") from error


def open_har(name: str, data: bytes, read_beside: ReadBeside) -> HarArchive:
    """The archive in a file of this name: a HAR, or a `.zip` with one. Raises HarUnreadable."""
    if not name.lower().endswith(".zip"):
        return HarArchive(_entries(name, data), read_beside)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        har = next(each for each in archive.namelist() if each.lower().endswith(".har"))
        return HarArchive(_entries(name, archive.read(har)), lambda file: _member(archive, file))
    except StopIteration:
        raise HarUnreadable(f"{name} has no .har file.") from None
    except zipfile.BadZipFile as error:
        raise HarUnreadable(f"{name} is not a zip file: {error}.") from error


def _entries(name: str, data: bytes) -> tuple[HarEntry, ...]:
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=HarDocument).log.entries
    except msgspec.DecodeError as error:
        raise HarUnreadable(f"{name} is not a HAR file: {error}.") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes | None:
    try:
        return archive.read(name)
    except KeyError:
        return None


def _absolute(base: str, location: str) -> str:
    url = urljoin(base, location)
    scheme, host, path, query, fragment = urlsplit(url)
    # As a browser writes it.
    return urlunsplit((scheme, host, path or "/", query, fragment))


def _method_after(status: int, method: str) -> str:
    """The method of the request that follows a redirect (Fetch standard, HTTP-redirect fetch)."""
    to_get = (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD"))
    return "GET" if to_get else method


def _same_form(body: bytes, headers: Sequence[HarHeader], now: bytes, headers_now: Sequence[HarHeader]) -> bool:
    """Whether two multipart bodies differ only in their boundaries, which are random."""
    boundary, boundary_now = _boundary(headers), _boundary(headers_now)
    if boundary is None or boundary_now is None:
        return False
    return body.replace(boundary, b"") == now.replace(boundary_now, b"")


def _boundary(headers: Sequence[HarHeader]) -> bytes | None:
    kind = next((each.value for each in headers if each.name.lower() == "content-type"), "")
    found = re.search(r"boundary=(\S+)", kind) if "multipart/form-data" in kind else None
    return None if found is None else found[1].encode()

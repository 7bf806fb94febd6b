"""What helpers write to. The runner has a sink; a unit test of a module may use its own."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from playwright.async_api import Download, Locator, Page

from pageworker.job_file import JobFile
from pageworker.once import OnceAct, OnceState
from pageworker.outcomes import Blocked, ProfileState

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadedFile:
    """A download that was stored beside the result."""

    name: str
    """As the server or the page suggests it, without a folder."""
    url: str
    content_type: str
    """By the ending of its name: a browser does not tell the server's."""
    bytes: int
    sha256: str
    """Hex."""


class Sink(Protocol):
    """Takes what a handler stores and logs through its helpers."""

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """Store bytes beside the result. Raises ValueError if a limit is exceeded or an argument is not valid."""

    async def download(self, kind: str, download: Download) -> DownloadedFile:
        """Store the bytes of a download beside the result. Raises ValueError if a limit is exceeded."""

    async def file(self, name: str) -> JobFile:
        """A file of the job. Raises Failed (`file_missing`)."""

    def har(self, kind: str, page: Page, *, bodies: bool, url: str | None) -> AbstractAsyncContextManager[None]:
        """Store a HAR of what the block does. Raises Playwright's Error, and ValueError if a limit is exceeded."""

    def trace(self, kind: str, page: Page, *, snapshots: bool, screenshots: bool) -> AbstractAsyncContextManager[None]:
        """Store a trace of what the block does. Raises Playwright's Error, and ValueError if a limit is exceeded."""

    def span(self, name: str, attributes: Mapping[str, object]) -> AbstractContextManager[None]:
        """A step of the handler in the job's trace, for the block."""

    def step(self, text: str, fields: Mapping[str, object]) -> AbstractContextManager[None]:
        """Report a step now. It also tells its duration if what is returned is used as a block."""

    def set_test_id_attribute(self, name: str) -> None:
        """Have `get_by_test_id` look for this attribute, until the attempt ends."""

    async def detect_blocker(self) -> Blocked | None:
        """What blocks the job's own page, by the worker's blocker rules. None: nothing that they know."""

    def profile_state(self, state: ProfileState, evidence: Mapping[str, object]) -> None:
        """Report whether the profile is logged in. Raises ValueError."""

    async def screenshot(self, page: Page, full_page: bool) -> bytes:
        """A PNG of a page, in bounded time. Raises Playwright's TimeoutError if the page draws nothing."""

    async def secret(self, name: str) -> str:
        """The value of a secret. Raises Failed (`secret_denied`)."""

    async def totp(self, name: str) -> str:
        """The one-time password of now. Raises Failed (`secret_denied`)."""

    async def once(self, key: str, act: OnceAct, value: object) -> tuple[OnceState, object]:
        """Change the record of a side effect, or ask for it. Raises Failed, ValueError."""

    async def fill_secret(self, locator: Locator, name: str) -> None:
        """Fill a secret into a field. Raises Failed (`secret_denied`), and Playwright's errors."""

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """Write one line to the worker's log."""

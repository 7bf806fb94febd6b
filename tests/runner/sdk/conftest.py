"""A sink that a test can look into."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext

import pytest
from playwright.async_api import Locator, Page

from pageworker import Blocked, Download, DownloadedFile, JobFile, ProfileState
from pageworker.once import OnceAct, OnceState
from pageworker.sink import Level


class RecordingSink:
    """Keeps what helpers write."""

    def __init__(self) -> None:
        self.artifacts: list[tuple[str, bytes, str]] = []
        self.test_id_attribute = ""
        self.blocker: Blocked | None = None
        self.recorded: list[tuple[str, Page, dict[str, object]]] = []
        self.lines: list[tuple[Level, str, dict[str, object]]] = []
        self.once_calls: list[tuple[str, OnceAct, object]] = []
        self.spans: list[tuple[str, dict[str, object]]] = []
        self.steps: list[tuple[str, dict[str, object]]] = []
        self.profile_states: list[tuple[ProfileState, dict[str, object]]] = []
        self.secrets = {"shop_login": "correct-horse"}

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        self.artifacts.append((kind, data, content_type))

    async def download(self, kind: str, download: Download) -> DownloadedFile:
        """Of the file, only its name is real."""
        name = download.suggested_filename
        return DownloadedFile(name=name, url=download.url, content_type=kind, bytes=0, sha256="")

    async def file(self, name: str) -> JobFile:
        return JobFile(name, "text/csv", "0" * 64, b"a;b")

    def har(self, kind: str, page: Page, *, bodies: bool, url: str | None) -> AbstractAsyncContextManager[None]:
        self.recorded.append((kind, page, {"bodies": bodies, "url": url}))
        return nullcontext()

    def trace(self, kind: str, page: Page, *, snapshots: bool, screenshots: bool) -> AbstractAsyncContextManager[None]:
        self.recorded.append((kind, page, {"snapshots": snapshots, "screenshots": screenshots}))
        return nullcontext()

    def span(self, name: str, attributes: Mapping[str, object]) -> AbstractContextManager[None]:
        self.spans.append((name, dict(attributes)))
        return nullcontext()

    def step(self, text: str, fields: Mapping[str, object]) -> AbstractContextManager[None]:
        self.steps.append((text, dict(fields)))
        return nullcontext()

    def set_test_id_attribute(self, name: str) -> None:
        self.test_id_attribute = name

    def profile_state(self, state: ProfileState, evidence: Mapping[str, object]) -> None:
        self.profile_states.append((state, dict(evidence)))

    async def screenshot(self, page: Page, full_page: bool) -> bytes:
        return b"\x89PNG"

    async def detect_blocker(self) -> Blocked | None:
        return self.blocker

    async def secret(self, name: str) -> str:
        return self.secrets[name]

    async def totp(self, name: str) -> str:
        return "123456"

    async def once(self, key: str, act: OnceAct, value: object) -> tuple[OnceState, object]:
        self.once_calls.append((key, act, value))
        return {"begin": "begun", "done": "done", "drop": "dropped"}[act], value  # type: ignore[return-value]  # texts

    async def fill_secret(self, locator: Locator, name: str) -> None:
        await locator.fill(self.secrets[name])

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        self.lines.append((level, message, dict(fields)))


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()

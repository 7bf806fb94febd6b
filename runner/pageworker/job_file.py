"""A file that came with the job, as `set_input_files` takes it."""

from typing import Any, cast

from playwright.async_api import FilePayload


class JobFile(dict[str, Any]):
    """A file of the job, and a file payload of Playwright: `set_input_files(await helpers.file("a.pdf"))` takes it.

    `payload` is the same for a type checker.
    """

    def __init__(self, name: str, content_type: str, sha256: str, data: bytes) -> None:
        super().__init__(name=name, mimeType=content_type, buffer=data)
        self.name = name
        self.content_type = content_type
        self.sha256 = sha256
        """Hex."""
        self.bytes = len(data)
        """How many there are."""

    @property
    def payload(self) -> FilePayload:
        """This file, with Playwright's type."""
        return cast(FilePayload, self)  # a typed dictionary cannot have methods

    async def read(self) -> bytes:
        """All bytes."""
        data: bytes = self["buffer"]
        return data

    def __repr__(self) -> str:
        return f"JobFile({self.name!r}, {self.content_type!r}, {self.bytes} bytes)"

"""A file of a job on its way into the sandbox."""

from typing import Annotated

from msgspec import Meta

from pageworker_sandbox.wire.message import Id, Message

MAX_FILE_BYTES = 32 * 1024 * 1024
"""Of one file. Playwright's client takes at most 50 MB as the bytes of an upload."""
MAX_JOB_FILES_BYTES = 96 * 1024 * 1024
"""Of all files of one job."""
MAX_ATTEMPT_FILES = 16


class InputFile(Message, frozen=True):
    """A file of the attempt whose Run comes next. One descriptor: a sealed memfd. The supervisor has checked the
    digest."""

    attempt_id: Id
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    content_type: Annotated[str, Meta(max_length=127)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    bytes: Annotated[int, Meta(ge=0, le=MAX_FILE_BYTES)]

"""The driver's files of downloads and recordings."""

from collections.abc import AsyncIterator

from playwright._impl.artifact import Artifact as Artifact
from playwright.async_api import Download


def artifact_of(download: Download) -> Artifact:
    """The driver's file of a download."""
    artifact: Artifact = download._impl_obj._artifact
    return artifact


async def chunks_of(artifact: Artifact) -> AsyncIterator[bytes]:
    """The bytes of a file of the driver, once it is finished, in chunks of at most 1 MiB. Raises Playwright's Error.

    The driver reads the file: this process may not. Leaving the iteration ends the stream.
    """
    stream = await artifact.create_read_stream()
    try:
        async for chunk in stream:
            yield chunk
    finally:
        stream.destroy()

"""Files whose paths a module passes to Playwright's client, to be read or to be uploaded."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from playwright._impl import client_helper, element_handle, fetch, frame, network
from playwright._impl.writable_stream import WritableStream

from pageworker_runner.pages.playwright_internals.client_methods import Method

FILE_READERS = ((client_helper, "_read_file"), (fetch, "_read_bytes"), (frame, "_read_file"), (network, "_read_file"))
"""Parts of the client that read a file whose path a module gives, and their function for it."""

UPLOADERS = (element_handle, frame)
"""Parts of the client that upload files."""

FolderUpload = tuple[str, Mapping[str, bytes]]
"""The name of a folder, and its files by their paths below it."""

CHUNK_BYTES = 1 << 20
"""Of one message to the driver."""

ZIP_EPOCH_MILLISECONDS = 315_532_800_000


def intercept_file_reads(find: Callable[[Any], bytes | None]) -> None:
    """Have `path=` of scripts, styles and answers, and files of a form, take the bytes of `find(path)`, unless None."""
    for module, name in FILE_READERS:
        decoded = module is client_helper

        async def read(path: Any, plain: Method = vars(module)[name], decoded: bool = decoded) -> Any:
            data = find(path)
            if data is None:
                return await plain(path)
            return data.decode() if decoded else data

        vars(module)[name] = read


def intercept_uploads(change: Callable[[Any], Any], folder_of: Callable[[Any], FolderUpload | None]) -> None:
    """Have `set_input_files` and `set_files` upload the folder `folder_of(files)`. If that is None: `change(files)`."""
    for module in UPLOADERS:

        async def convert(files: Any, context: Any, plain: Method = vars(module)["convert_input_files"]) -> Any:
            folder = folder_of(files)
            return await plain(change(files), context) if folder is None else await _stream(folder, context)

        vars(module)["convert_input_files"] = convert


async def _stream(folder: FolderUpload, context: Any) -> dict[str, Any]:
    """Have the driver write the folder, as the client does for a browser on another host.

    The driver keeps it as long as the browser context.
    """
    name, files = folder
    # 1980, as in every bundle.
    items = [{"name": each, "lastModifiedMs": ZIP_EPOCH_MILLISECONDS} for each in files]
    reply = await context._channel.createTempFiles(rootDirName=name, items=items)
    for channel, data in zip(reply["writableStreams"], files.values(), strict=True):
        stream = WritableStream.from_(channel)._channel
        for start in range(0, len(data), CHUNK_BYTES):
            await stream.write(binary=base64.b64encode(data[start : start + CHUNK_BYTES]).decode())
        await stream.close()
    return {"directoryStream": reply["rootDir"], "streams": None}

"""Files whose paths a module passes to Playwright's client, to be read or to be uploaded."""

from collections.abc import Callable
from typing import Any

from playwright._impl import client_helper, element_handle, frame, network

from pageworker_runner.pages.playwright_internals.client_methods import Method

FILE_READERS = (client_helper, frame, network)
"""Parts of the client that read a file whose path a module gives."""

UPLOADERS = (element_handle, frame)
"""Parts of the client that upload files."""


def intercept_file_reads(find: Callable[[Any], bytes | None]) -> None:
    """Have `path=` of scripts, styles and answers take the bytes of `find(path)`, unless that is None."""
    for module in FILE_READERS:
        decoded = module is client_helper

        async def read(path: Any, plain: Method = vars(module)["_read_file"], decoded: bool = decoded) -> Any:
            data = find(path)
            if data is None:
                return await plain(path)
            return data.decode() if decoded else data

        vars(module)["_read_file"] = read


def intercept_uploads(change: Callable[[Any], Any]) -> None:
    """Have `set_input_files` and `set_files` upload `change(files)`."""
    for module in UPLOADERS:

        async def convert(files: Any, context: Any, plain: Method = vars(module)["convert_input_files"]) -> Any:
            return await plain(change(files), context)

        vars(module)["convert_input_files"] = convert

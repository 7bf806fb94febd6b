"""Files that tests write into their `tmp_path` and give to Playwright. A module ships such files in its package.

So the bundle has them, and a job's `tmp_path` is that folder of the package. What a test writes must be what is there.
Used outside to make the bundle, and in the sandbox.
"""

import os
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import IO

FOLDER = "tmp"
"""Below the bundle's package `tests`, with a folder for each test."""
UPLOAD = "file-upload-test"
ONE_FILE = {f"{UPLOAD}/file1.txt": "file1 content"}
SHIPPED: dict[str, dict[str, str]] = {
    "test_drop_should_drop_a_file_by_local_path": {"hello.txt": "path-content"},
    "test_fallback_continue_should_continue_requests_on_bad_har": {"invalid.har": '{"log": {}}'},
    "test_should_support_multipart_form_data_with_path_value": {"data.csv": "a,b,c\n1,2,3\n"},
    "test_should_throw_if_a_directory_and_files_are_passed": ONE_FILE,
    "test_should_throw_when_upload_a_folder_in_a_normal_file_upload_input": ONE_FILE,
    "test_should_upload_a_folder": {
        **ONE_FILE,
        f"{UPLOAD}/file2": "file2 content",
        f"{UPLOAD}/sub-dir/really.txt": "sub-dir file content",
    },
    "test_should_upload_a_folder_and_throw_for_multiple_directories": {
        f"{UPLOAD}/folder1/file1.txt": "file1 content",
        f"{UPLOAD}/folder2/file2.txt": "file2 content",
    },
}
"""By the name of the test: path and text."""


class ComparedText(StringIO):
    """A text that a test writes into a file."""

    def __init__(self, path: "ShippedPath") -> None:
        super().__init__()
        self._path = path

    def close(self) -> None:
        """Check that it is what is there. Raises PermissionError."""
        if not self.closed:
            self._path.write_text(self.getvalue())
        super().close()


class ShippedPath(type(Path())):  # type: ignore[misc]  # Path() makes a subclass, which alone can be derived from
    """A path of the package for which a test may do as if it wrote the file that is there."""

    def mkdir(self, *arguments: object, **named: object) -> None:
        """The folder is there, if the test writes a file into it."""

    def open(self, mode: str = "r", *arguments: object, **named: object) -> IO[str]:
        """Takes a text that is compared when the file is closed. Raises PermissionError, then or now."""
        if mode != "w":
            raise PermissionError(f"[Errno 1] Operation not permitted: '{self}'")
        return ComparedText(self)

    def write_text(self, data: str, *arguments: object, **named: object) -> int:
        """Check that this is what is there. Raises PermissionError."""
        return self.write_bytes(data.encode())

    def write_bytes(self, data: bytes) -> int:
        """Check that this is what is there. Raises PermissionError."""
        if self.read_bytes() != data:
            raise PermissionError(f"[Errno 1] Operation not permitted: '{self}'")
        return len(data)

    def read_text(self, *arguments: object, **named: object) -> str:
        """What is there. Raises PermissionError."""
        return self.read_bytes().decode()

    def read_bytes(self) -> bytes:
        """What is there. Raises PermissionError."""
        _, tests, inside = os.path.normpath(self).partition(f"/tests/{FOLDER}/")
        file = files(f"{__package__}.tests") / FOLDER / inside if tests else None
        if file is None or not file.is_file():
            raise PermissionError(f"[Errno 1] Operation not permitted: '{self}'")
        data: bytes = file.read_bytes()
        return data

"""Loader and libraries of real programs, and of files that are none."""

from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import elf


@pytest.mark.browser
def test_libraries_are_found_as_the_loader_finds_them() -> None:
    names = {path.name for path in elf.libraries(sandboxes.FULL)}
    assert "libc.so.6" in names
    assert any(name.startswith("ld-") for name in names)


def test_a_script_has_no_libraries() -> None:
    with pytest.raises(elf.NotElf):
        elf.libraries(Path("/usr/bin/chromium"))


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x01" + bytes(100), b"\x7fELF\x02\x01" + bytes(100)])
def test_a_file_without_a_loader_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(elf.NotElf, match=str(tmp_path)):
        elf.loader(tmp_path / "file")


def test_the_loader_of_a_program_is_executable() -> None:
    assert elf.loader(Path("/bin/sh").resolve()).stat().st_mode & 0o111

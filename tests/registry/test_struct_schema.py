"""The schema of a Struct in an author's package, which another process imports."""

import sys
from pathlib import Path

import pytest

from pageworker_supervisor.registry import struct_schema as command
from pageworker_supervisor.registry.struct_schema import StructUnusable, struct_schema


def package(folder: Path, code: str) -> Path:
    (folder / "acme.py").write_text("import msgspec\n" + code)
    return folder


def test_the_schema_is_read_without_importing_the_package_here(tmp_path: Path) -> None:
    code = "print('hello')\nclass Input(msgspec.Struct):\n    url: str\n"
    schema = struct_schema(package(tmp_path, code), "acme:Input")
    assert schema["$defs"]["Input"]["required"] == ["url"]
    assert "acme" not in sys.modules
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ValueError('boom')", "ValueError: boom"),
        ("", "has no attribute 'Input'"),
        ("Input = object()", "TypeError"),
        ("import os; os._exit(3)", "the import ended the process"),
    ],
)
def test_a_package_that_cannot_be_used_says_why(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(StructUnusable, match=words):
        struct_schema(package(tmp_path, code), "acme:Input")


def test_an_import_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(StructUnusable, match="the import takes more than"):
        struct_schema(package(tmp_path, "import threading; threading.Event().wait()"), "acme:Input")

"""A file on its way into memory: nothing of it is left, or it is sealed and its digest is right."""

import hashlib
import os

import pytest

from pageworker_sandbox.memfd import read_sealed
from pageworker_supervisor.files.errors import FileError
from pageworker_supervisor.files.memory_file import MemoryFile

DIGEST = hashlib.sha256(b"abc").hexdigest()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_has_arrived_is_sealed() -> None:
    with MemoryFile(3) as arriving:
        arriving.append(b"a")
        arriving.append(b"bc")
        file = arriving.sealed("a.txt", "text/plain", None, DIGEST)
    assert (file.name, file.bytes, file.sha256) == ("a.txt", 3, DIGEST)
    assert read_sealed(file.descriptor, 3) == b"abc"
    with pytest.raises(OSError, match="not permitted"):
        os.pwrite(file.descriptor, b"x", 0)
    file.close()
    file.close()


@pytest.mark.parametrize(("parts", "digest", "type_"), [([b"abcd"], None, "large"), ([b"ab"], DIGEST, "mismatch")])
def test_a_wrong_file_leaves_nothing(parts: list[bytes], digest: str | None, type_: str) -> None:
    before = descriptors()
    with pytest.raises(FileError, match=r"bytes|SHA-256") as refused, MemoryFile(3) as arriving:
        for part in parts:
            arriving.append(part)
        arriving.sealed("a", "text/plain", digest)
    assert type_ in refused.value.type
    assert descriptors() == before

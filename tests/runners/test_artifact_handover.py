"""An artifact on its way from a runner to the store holds one descriptor, and gives it back once."""

import os

import pytest

from pageworker_sandbox.memfd import seal
from pageworker_supervisor.runners.artifact_handover import ArtifactHandover


def test_its_descriptor_is_closed_once() -> None:
    descriptor = seal(b"x", "x")
    handover = ArtifactHandover("html", "text/html", descriptor, 1)
    handover.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    other = seal(b"y", "y")
    handover.close()
    assert os.fstat(other).st_size == 1, "another file may have the same number by now"
    os.close(other)

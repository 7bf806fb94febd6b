"""An artifact that was handed over is closed once."""

import os

import pytest

from pageworker_supervisor.runners.artifact_handover import ArtifactHandover


def test_it_is_closed_once() -> None:
    read, write = os.pipe()
    handed_over = ArtifactHandover(kind="html", content_type="text/html", descriptor=read, bytes=3)
    for _ in range(2):
        handed_over.close()
    with pytest.raises(BrokenPipeError):
        os.write(write, b"x")
    os.close(write)

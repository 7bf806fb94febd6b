"""The bounds of a file's message."""

import msgspec
import pytest

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.file_messages import MAX_FILE_BYTES

FILE = m.InputFile(attempt_id="a" * 160, name="😀" * 128, content_type="a" * 127, sha256="0" * 64, bytes=MAX_FILE_BYTES)


def test_the_longest_fits_into_its_frame_and_a_larger_one_is_refused() -> None:
    (spec,) = (spec for spec in m.TO_RUNNER.values() if spec.message is m.InputFile)
    assert (len(msgspec.msgpack.encode(FILE)) < spec.max_bytes, spec.descriptors) == (True, 1)
    for change in ({"bytes": MAX_FILE_BYTES + 1}, {"name": ""}, {"sha256": "x"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**msgspec.to_builtins(FILE), **change}, m.InputFile)

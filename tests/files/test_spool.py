"""An upload on its way has no name, and leaves nothing."""

import hashlib
from pathlib import Path

from pageworker_supervisor.files.spool import UploadSpool
from pageworker_supervisor.files.stored_file import HEADER_BYTES, StoredFile

DATA = bytes(range(256)) * 8000


async def test_parts_become_one_object_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    with UploadSpool(folder) as spool:
        for start in range(0, len(DATA), 300_000):
            await spool.append(DATA[start : start + 300_000])
        digest = await spool.ended()
        assert (digest, spool.bytes) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
        assert list(folder.iterdir()) == []
        file = StoredFile(
            file_id="f_1796000000_" + "a" * 32,
            tenant_id="acme",
            name="a",
            sha256=digest,
            bytes=spool.bytes,
            content_type="text/plain",
            expires_at=1_796_000_000,
        )
        whole = (await spool.describe(file)).read_bytes()
        assert (len(whole), whole[HEADER_BYTES:] == DATA) == (HEADER_BYTES + len(DATA), True)
    assert list(folder.iterdir()) == []

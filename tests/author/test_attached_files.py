"""Files of this host that go along with a job."""

import time
from pathlib import Path

import msgspec
import pytest

from pageworker_author.attached_files import (
    AttachedFile,
    AttachInvalid,
    attached_files,
    upload_files,
    with_files,
)
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.files.stored_file import expiry_of


def test_an_option_names_the_file_and_its_path() -> None:
    assert attached_files(["a.pdf=/tmp/x=y.pdf", "./b.csv"]) == (
        AttachedFile("a.pdf", Path("/tmp/x=y.pdf")),
        AttachedFile("b.csv", Path("b.csv")),
    )
    for options in (["../a=b"], ["a="], ["=b"], ["a=1", "a=2"], [f"{n}=x" for n in range(17)]):
        with pytest.raises(AttachInvalid):
            attached_files(options)


async def test_a_file_becomes_an_upload_of_the_jobs_tenant(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("1;2")
    (tmp_path / "empty").touch()
    store, settings = FileStore.open(None, tmp_path), FileSettings(max_bytes=3, keep_hours=1)
    (file,) = await upload_files(store, "acme", attached_files([f"a.csv={tmp_path}/b.csv"]), settings)
    found = await store.describe("acme", file.file_id or "")
    assert (found.name, found.content_type, found.bytes, found.sha256) == ("a.csv", "text/csv", 3, file.sha256)
    assert 0 < (expiry_of(found.file_id) or 0) - time.time() <= 3600
    text = with_files(b'{"job_id": "1", "payload": {"a": 1}}', [file])
    assert msgspec.json.decode(text)["files"] == msgspec.to_builtins([file])
    with pytest.raises(ContractError, match="second time"):
        with_files(text, [file])
    (tmp_path / "b.csv").write_text("1;23")
    for path, why in (("b.csv", "more than 3 bytes"), ("empty", "it is empty"), ("none", "No such file")):
        with pytest.raises(AttachInvalid, match=why):
            await upload_files(store, "acme", attached_files([f"a={tmp_path}/{path}"]), settings)

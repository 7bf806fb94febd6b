"""What `--attach` stores, and how it fails."""

from pathlib import Path

import msgspec
import pytest

from pageworker_author.attached_files import AttachedFile
from pageworker_supervisor.cli.attach import with_attached
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.config.settings import Settings, WorkerSettings


async def test_the_job_names_what_was_stored(tmp_path: Path) -> None:
    settings = Settings(worker=WorkerSettings(data_dir=tmp_path))
    (tmp_path / "a").write_bytes(b"x")
    text = await with_attached(b"{}", "acme", (AttachedFile("a.pdf", tmp_path / "a"),), settings)
    (file,) = msgspec.json.decode(text)["files"]
    assert (tmp_path / "files" / "acme" / file["file_id"]).is_file()
    with pytest.raises(CommandError, match="second time") as refused:
        await with_attached(text, "acme", (AttachedFile("a.pdf", tmp_path / "a"),), settings)
    assert refused.value.exit_code is CommandExit.USAGE

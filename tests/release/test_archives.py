"""An sdist has the same bytes at each date and for each user."""

import gzip
import io
import tarfile

import pytest
from deploy.release.archives import normalise_sdist


def sdist(names: list[str], seconds: int, mode: int, owner: str) -> bytes:
    """What setuptools might have written."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"p-1/{name}")
            member.mtime, member.mode, member.uname, member.uid = seconds, mode, owner, seconds % 1000
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return packed.getvalue()


def test_order_date_umask_and_user_change_nothing() -> None:
    first = normalise_sdist(sdist(["a", "b.py"], 1_700_000_001, 0o644, "ada"), 1_600_000_000)
    second = normalise_sdist(sdist(["b.py", "a"], 1_800_000_002, 0o600, "grace"), 1_600_000_000)
    assert first == second
    assert normalise_sdist(sdist(["a", "c.py"], 1_700_000_001, 0o644, "ada"), 1_600_000_000) != first


def test_the_files_stay() -> None:
    data = normalise_sdist(sdist(["run.sh"], 1, 0o700, "ada"), 1_600_000_000)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        (member,) = archive.getmembers()
        opened = archive.extractfile(member)
        assert opened is not None
        assert opened.read() == b"run.sh"
    assert (member.name, member.mode, member.mtime) == ("p-1/run.sh", 0o755, 1_600_000_000)


def test_a_link_is_refused() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("p-1/link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ValueError, match="p-1/link"):
        normalise_sdist(packed.getvalue(), 0)

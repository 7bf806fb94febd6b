"""A local profile that was left damaged is refused until it is intact again."""

from pathlib import Path

import pytest
from pw_profiles import act_in_process

from pageworker_profiles.damage_mark import FILE
from pageworker_profiles.errors import ContentDamaged, FolderWorkerFailed, ProfileError
from pageworker_profiles.folders import ProfileFolders


class LocalHost:
    """A worker with local profiles."""

    def __init__(self, root: Path) -> None:
        self.told: list[tuple[str, str, ProfileError]] = []
        self.folders = ProfileFolders(root, on_failed_check=lambda *told: self.told.append(told))
        self.cookies = root / "acme/shop/data/Default/Cookies"
        self.mark = root / "acme/shop" / FILE

    async def visit(self, cookies: bytes | None = None, *, clean: bool = True) -> None:
        with await self.folders.open("acme", "shop", None, None) as lease:
            self.cookies.parent.mkdir(exist_ok=True)
            if cookies is not None:
                self.cookies.write_bytes(cookies)
            await self.folders.release(lease, None, clean=clean, browser_version="")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHost:
    act_in_process(monkeypatch)
    return LocalHost(tmp_path)


async def test_a_damaged_profile_is_refused_until_it_is_repaired(host: LocalHost) -> None:
    await host.visit(b"no database")
    ((tenant_id, profile_id, error),) = host.told
    assert (tenant_id, profile_id, type(error)) == ("acme", "shop", ContentDamaged)
    assert "'Default/Cookies' is damaged" in host.mark.read_text()
    for _ in range(2):
        with pytest.raises(ContentDamaged, match="Default/Cookies"):
            await host.visit()
    assert host.cookies.read_bytes() == b"no database", "nothing is deleted"
    host.cookies.unlink()
    await host.visit()
    assert not host.mark.exists()


async def test_what_a_killed_browser_left_is_not_judged(host: LocalHost) -> None:
    await host.visit(b"half written", clean=False)
    assert host.told == []
    assert not host.mark.exists()


async def test_a_check_that_the_host_cannot_make_is_told_and_marks_nothing(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise FolderWorkerFailed("no memory")

    with monkeypatch.context() as broken:
        broken.setattr("pageworker_profiles.folders.call_worker", failing)
        await host.visit(b"")
    assert [str(error) for _, _, error in host.told] == ["no memory"]
    assert not host.mark.exists()


@pytest.mark.parametrize(("signal", "refused"), [(11, ContentDamaged), (9, FolderWorkerFailed)])
async def test_a_check_that_crashes_means_damage_and_one_that_is_killed_does_not(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch, signal: int, refused: type[ProfileError]
) -> None:
    async def crashing(*_: object, **__: object) -> None:
        raise FolderWorkerFailed("it ended", signal)

    with await host.folders.open("acme", "shop", None, None) as lease:
        monkeypatch.setattr("pageworker_profiles.folders.call_worker", crashing)
        with pytest.raises(refused):
            await host.folders.check(lease)

"""Which libraries a sandbox gets: system folders whole, a private library alone."""

from pathlib import Path

import pytest

from pageworker_sandbox.launch import elf, libraries
from pageworker_sandbox.launch.libraries import library_mounts
from pageworker_sandbox.launch.mounts import Bind, Mask, Symlink


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A system of three folders; one of them is a link to another."""
    (tmp_path / "usr/lib/x86/deep").mkdir(parents=True)
    (tmp_path / "usr/lib/x86/python3/dist-packages").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    monkeypatch.setattr(libraries, "SYSTEM", (tmp_path / "lib", tmp_path / "usr/lib"))
    monkeypatch.setattr(libraries, "CACHE", tmp_path / "ld.so.cache")
    return tmp_path


def needed(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(elf, "libraries", lambda program: list(paths))


def test_a_system_folder_comes_whole_once_and_its_packages_are_masked(
    monkeypatch: pytest.MonkeyPatch, system: Path
) -> None:
    needed(monkeypatch, system / "lib/x86/libc.so", system / "usr/lib/x86/deep/libm.so")
    mounts = library_mounts([Path("/program")])
    folder = system / "usr/lib/x86"
    assert [mount for mount in mounts if isinstance(mount, Bind)] == [Bind(folder, folder)]
    assert Mask(folder / "python3/dist-packages") in mounts


def test_the_links_of_the_system_are_made_again(monkeypatch: pytest.MonkeyPatch, system: Path) -> None:
    needed(monkeypatch, system / "lib/x86/libc.so")
    assert Symlink("usr/lib", system / "lib") in library_mounts([Path("/program")])


def test_a_private_library_comes_alone_under_the_name_it_is_found_by(
    monkeypatch: pytest.MonkeyPatch, system: Path
) -> None:
    (system / "home").mkdir()
    (system / "home/libown.so.1.2").touch()
    (system / "home/libown.so.1").symlink_to("libown.so.1.2")
    monkeypatch.setattr(elf, "libraries", lambda program: [system / "home/libown.so.1"])
    binds = [mount for mount in library_mounts([Path("/program")]) if isinstance(mount, Bind)]
    assert binds == [Bind(system / "home/libown.so.1.2", system / "home/libown.so.1")]


def test_the_loaders_cache_comes_along_where_there_is_one(monkeypatch: pytest.MonkeyPatch, system: Path) -> None:
    needed(monkeypatch)
    cache = system / "ld.so.cache"
    assert Bind(cache, cache) not in library_mounts([])
    cache.touch()
    assert Bind(cache, cache) in library_mounts([])

"""Attacks by way of the profile folder, on the next runner and on the supervisor."""

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from pw_sandbox import sandboxes
from pw_sandbox.sandboxes import RaisedInside

from pageworker_profiles import ProfileStore
from pageworker_sandbox.launch import LaunchFailed

pytestmark = pytest.mark.sandbox

TRICKS = """
import os
os.symlink("/etc/passwd", "/profile/Cookies")
os.symlink("/", "/profile/Default")
os.symlink("../../../../../../etc", "/profile/up")
os.symlink("/proc/1/root", "/profile/first")
open("/profile/setuid", "w").close()
os.chmod("/profile/setuid", 0o6755)
"""


async def test_links_out_of_the_profile_lead_nowhere_for_the_next(profile: Path) -> None:
    where = sandboxes.host(sandboxes.HEADLESS)
    async with sandboxes.sandbox(where, sandboxes.spec(profile)) as inside:
        await inside.run(TRICKS)
    async with sandboxes.sandbox(where, sandboxes.spec(profile)) as inside:
        for path in ("/profile/Cookies", "/profile/up/passwd", "/profile/first/etc/passwd", "/profile/Default/root"):
            with pytest.raises(RaisedInside) as caught:
                await inside.run("open(path)", path=path)
            assert caught.value.errno == errno.ENOENT
        for path in ("/profile/Default/x", "/profile/up/x"):
            with pytest.raises(RaisedInside) as caught:
                await inside.run("open(path, 'w')", path=path)
            assert caught.value.errno == errno.EROFS


async def test_nothing_of_the_host_can_be_linked_into_it(profile: Path) -> None:
    where = sandboxes.host(sandboxes.HEADLESS)
    async with sandboxes.sandbox(where, sandboxes.spec(profile)) as inside:
        for path in (str(where.python), "/opt/pageworker/start.py", "/etc/hosts", "/dev/null"):
            with pytest.raises(RaisedInside) as caught:
                await inside.run("import os; os.stat(path); os.link(path, '/profile/x')", path=path)
            assert caught.value.errno == errno.EXDEV
        # A file that is already in the profile can be linked.
        await inside.run("open('/profile/own', 'w').close(); os.link('/profile/own', '/profile/x')")


async def test_neither_devices_nor_fifos_can_be_made_in_it(profile: Path) -> None:
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), sandboxes.spec(profile)) as inside:
        for code in ("os.mknod('/profile/x', 0o20666, os.makedev(1, 1))", "os.mkfifo('/profile/x')"):
            with pytest.raises(RaisedInside) as caught:
                await inside.run(f"import os; {code}")
            assert caught.value.errno == errno.EPERM


async def test_what_is_made_belongs_to_the_runners_user(profile: Path) -> None:
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), sandboxes.spec(profile)) as inside:
        await inside.run(TRICKS)
    made = (profile / "setuid").lstat()
    assert made.st_uid == (sandboxes.UID or os.getuid())
    # The set-user-id bit may stay: a process that executes the file becomes the runner's user, never root.
    assert stat.S_IMODE(made.st_mode) == 0o6755


async def test_a_profile_that_is_a_link_is_not_followed_inside(profile: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    spec = sandboxes.spec(profile)
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), spec) as inside:
        # The folder was opened before the sandbox started, so renaming it outside changes nothing inside.
        profile.rename(tmp_path / "moved")
        profile.symlink_to(tmp_path / "elsewhere")
        await inside.run("open('/profile/x', 'w').close()")
    assert (tmp_path / "moved" / "x").exists()
    assert not (tmp_path / "elsewhere" / "x").exists()


@pytest.mark.parametrize("trick", ["a link to a folder", "a folder"])
async def test_what_is_put_in_its_place_after_the_check_is_not_mounted(tmp_path: Path, trick: str) -> None:
    tmp_path.chmod(0o711)
    where = sandboxes.host(sandboxes.HEADLESS)
    with ProfileStore(tmp_path / "profiles").open("acme", "shop", None, sandboxes.UID) as lease:
        # A runner that has ended is no longer counted, so both sandboxes may have the same name.
        spec = replace(sandboxes.spec(tmp_path / "unused"), profile_dir=lease.path, profile_fd=lease.folder_descriptor)
        async with sandboxes.sandbox(where, spec) as inside:
            await inside.run("open('/profile/own', 'w').close()")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(mode=0o777)
        elsewhere.chmod(0o777)
        lease.path.rename(tmp_path / "moved")
        if trick == "a folder":
            elsewhere.rename(lease.path)
        else:
            lease.path.symlink_to(elsewhere)
        with pytest.raises(LaunchFailed, match="exchanged after it was checked"):
            async with sandboxes.sandbox(where, spec) as inside:
                await inside.run("open('/profile/x', 'w').close()")
    assert list(lease.path.iterdir()) == []
    assert [file.name for file in (tmp_path / "moved").iterdir()] == ["own"]

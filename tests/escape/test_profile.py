"""Attacks by way of the profile folder, on the next runner and on the supervisor."""

import errno
import os
import stat
from pathlib import Path

import pytest
from pw_sandbox import sandboxes
from pw_sandbox.sandboxes import RaisedInside

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

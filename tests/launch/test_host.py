"""The host that a survey finds: what each kind of sandbox gets of it."""

from dataclasses import replace
from pathlib import Path

from pageworker_sandbox.launch import Host
from pageworker_sandbox.launch.mounts import Bind


def inside(host: Host, part: str) -> set[str]:
    mounts = {"system": host.system, "runner": host.runner, "gateway": host.gateway}[part]
    return {str(mount.inside) for mount in mounts if isinstance(mount, Bind)}


def test_interpreter_and_libraries_are_for_all_and_the_browser_for_runners_only(host: Host) -> None:
    assert str(host.python) in inside(host, "system")
    assert str(next(iter(host.browsers.values())).parent) in inside(host, "runner")
    assert str(next(iter(host.browsers.values())).parent) not in inside(host, "gateway") | inside(host, "system")


def test_neither_side_gets_the_supervisor_nor_the_launcher(host: Host) -> None:
    for part in ("system", "runner", "gateway"):
        assert not [path for path in inside(host, part) if "supervisor" in path or "profiles" in path]
        assert "/opt/pageworker/code/pageworker_sandbox/launch" not in inside(host, part)


def test_a_browser_of_a_users_own_folder_has_another_path_inside(host: Host) -> None:
    moved = Bind(Path("/home/ann/browsers/chrome-linux"), Path("/opt/pageworker/browser"))
    assert replace(host, runner=(moved,)).source_of(moved.inside / "chrome") == moved.source / "chrome"
    for browser in host.browsers.values():
        assert host.source_of(browser).is_file()


def test_bubblewrap_is_a_path_of_the_host(host: Host) -> None:
    assert host.bubblewrap.is_file()
    assert host.bubblewrap.is_absolute()
    assert Path("/opt/pageworker") not in host.bubblewrap.parents

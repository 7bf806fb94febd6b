"""bubblewrap's command line as text: namespaces, mounts, and the order that makes the root read-only."""

from pathlib import Path

import pytest

from pageworker_sandbox.launch import bubblewrap
from pageworker_sandbox.launch.bubblewrap import Descriptors, arguments
from pageworker_sandbox.launch.mounts import Bind, Data, Mask, Mount, MountMode, Scratch, Symlink

NAMESPACES = {f"--unshare-{name}" for name in ("user", "ipc", "pid", "net", "uts", "cgroup")}
MOUNTS: tuple[Mount, ...] = (
    Bind(Path("/usr/lib"), Path("/usr/lib")),
    Mask(Path("/usr/lib/site-packages")),
    Symlink("usr/lib", Path("/lib")),
    Data("text", Path("/etc/hosts")),
    Bind(Path("/dev/null"), Path("/dev/null"), MountMode.DEVICE),
    Scratch(1, Path("/tmp"), 1),
    Bind(Path("/home/p"), Path("/profile"), MountMode.READ_WRITE),
)


def options(*, network: bool = False, rename: bool = True) -> list[str]:
    return arguments(MOUNTS, "/stage", Descriptors(9), network=network, rename=rename)


@pytest.mark.parametrize("network", [False, True])
def test_every_namespace_is_unshared_but_the_dialers_network(network: bool) -> None:
    found = {word for word in options(network=network) if word.startswith("--unshare")}
    assert found == NAMESPACES - ({"--unshare-net"} if network else set())


def test_rights_environment_and_life_are_taken_away() -> None:
    line = options()
    assert {"--die-with-parent", "--new-session", "--clearenv"} <= set(line)
    assert line[line.index("--cap-drop") + 1] == "ALL"
    assert line[line.index("--uid") + 1] == line[line.index("--gid") + 1] == "1000"


def test_only_what_comes_from_outside_is_staged_and_by_its_number() -> None:
    places = bubblewrap.staged(MOUNTS, "/stage")
    assert list(places.values()) == [f"/stage/{number}" for number in range(5)]
    assert not [mount for mount in places if isinstance(mount, Mask | Symlink)]


def test_each_kind_of_mount_has_its_option() -> None:
    text = " ".join(options())
    for part in (
        "--ro-bind /stage/0 /usr/lib",
        "--tmpfs /usr/lib/site-packages --remount-ro /usr/lib/site-packages",
        "--symlink usr/lib /lib",
        "--ro-bind /stage/1 /etc/hosts",
        "--dev-bind /stage/2 /dev/null",
        "--bind /stage/3 /tmp",
        "--bind /stage/4 /profile",
    ):
        assert f" {part} " in text


def test_no_path_of_the_host_is_in_the_command_line() -> None:
    assert "/home/p" not in " ".join(options())


def test_the_root_ends_up_read_only() -> None:
    line = options()
    last_mount = max(i for i, word in enumerate(line) if word in ("--ro-bind", "--bind", "--tmpfs", "--proc"))
    remounts = [i for i, word in enumerate(line) if word == "--remount-ro" and line[i + 1] == "/"]
    assert remounts[-1] > last_mount


def test_the_host_name_and_the_handshake_are_left_out_where_they_are_not_wanted() -> None:
    assert "--hostname" not in options(rename=False)
    assert "--info-fd" not in options()
    line = arguments((), "/stage", Descriptors(9, (5, 6)), network=False, rename=True)
    assert line[-4:] == ["--info-fd", "5", "--block-fd", "6"]


def test_the_interpreter_inside_is_isolated() -> None:
    line = bubblewrap.command(Path("/usr/bin/python3"), Path("/start.py"), ["1", "module"])
    assert line == ["/usr/bin/python3", "-I", "-S", "-B", "/start.py", "1", "module"]

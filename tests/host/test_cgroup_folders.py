"""The cgroups of this process, found in made-up mounts."""

from pathlib import Path

import pytest

from pageworker_supervisor.host.cgroup_folders import cgroup_folders, memory_statistics, memory_use, words


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("line", "made", "found"),
    [
        ("0::/a/b", ["a/b"], ["a/b", "a", "."]),
        ("0::/a", ["unified/a"], [".", "unified/a", "unified"]),
        ("4:cpu,cpuacct:/x", ["cpu,cpuacct/x", "cpu"], ["cpu,cpuacct/x", "cpu,cpuacct", "cpu"]),
        ("3:memory:/gone", ["memory"], ["memory"] * 2),
    ],
)
def test_the_folders_of_each_hierarchy_up_to_its_root(
    tmp_path: Path, line: str, made: list[str], found: list[str]
) -> None:
    write(tmp_path / "proc/self", cgroup=f"{line}\n")
    for name in made:
        write(tmp_path / "cg" / name)
    folders = [
        str(folder.relative_to(tmp_path / "cg")) for folder in cgroup_folders(tmp_path / "cg", tmp_path / "proc")
    ]
    assert folders == found


def test_memory_with_and_without_a_limit(tmp_path: Path) -> None:
    assert memory_use(tmp_path) is None
    assert memory_use(write(tmp_path / "a", memory__max="max", memory__current="5")) is None
    assert memory_use(write(tmp_path / "b", memory__max="10", memory__current="5")) == (5, 10)
    assert memory_use(write(tmp_path / "c", memory__limit_in_bytes=str(2**63 - 1), memory__usage_in_bytes="5")) is None
    assert memory_use(write(tmp_path / "d", memory__limit_in_bytes="10", memory__usage_in_bytes="5")) == (5, 10)


def test_words_and_statistics(tmp_path: Path) -> None:
    write(tmp_path, memory__stat="anon 5\nfile 7\nodd -\n")
    assert memory_statistics(tmp_path) == {"anon": 5, "file": 7}
    assert words(tmp_path / "memory.stat")[:2] == ["anon", "5"]
    assert words(tmp_path / "none") == []

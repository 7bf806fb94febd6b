"""The process tree below a daemon, read from /proc."""

from pathlib import Path


def below(pid: int) -> dict[int, str]:
    """Pid and command line of every descendant that is no zombie."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: dict[int, str] = {}
    todo = list(parents.get(pid, ()))
    while todo:
        here = todo.pop()
        todo += parents.get(here, ())
        try:
            found[here] = Path(f"/proc/{here}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found

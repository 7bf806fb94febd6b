"""The users who try a bare root: root, one with sudo, one without, and one whose administrator has installed it all."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

INSTALL_LINE = "install.sh: missing; install as root:"
"""The one line that tells a user without rights what to ask for."""


@dataclass(frozen=True)
class FreshUser:
    """One user. `prepared`: root has run install.sh before. `refused`: what a user must be told who cannot install."""

    name: str
    uid: int
    sudo: bool = False
    prepared: bool = False
    mark: str = "fresh-exit-code "

    @property
    def refused(self) -> bool:
        """Whether install.sh can install nothing, and must say so."""
        return self.uid != 0 and not self.sudo and not self.prepared

    @property
    def setup(self) -> str:
        """The script that makes the user and its clone."""
        lines = ["git config --system --add safe.directory '*'"]
        if self.uid:
            lines.append(f"useradd --create-home --shell /bin/bash --uid {self.uid} {self.name}")
        if self.sudo:
            lines.append(f"echo '{self.name} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{self.name}")
        if self.prepared:
            lines.append("git clone -q /src /var/prepared && (cd /var/prepared && ./install.sh dev >&2 </dev/null)")
        lines.append(self._as_user("git clone -q /src ~/clone") + " >&2 </dev/null")
        return "".join(f"{line}\n" for line in lines)

    def step(self, command: str) -> str:
        """The script of one command in the clone. It prints `mark` and the exit code at its end."""
        run = self._as_user(f"cd ~/clone && {{ {command}; }}")
        return f"{run} 2>&1 </dev/null; code=$?; echo; echo {shlex.quote(self.mark)}$code\n"

    def is_right(self, code: int, output: Sequence[str]) -> bool:
        """Whether a command of README ended as this user must see it."""
        if not self.refused:
            return code == 0
        return code != 0 and sum(line.startswith(INSTALL_LINE) for line in output) == 1

    def _as_user(self, command: str) -> str:
        if not self.uid:
            return f"bash -c {shlex.quote(command)}"
        return f"runuser -u {self.name} -- env HOME=/home/{self.name} bash -c {shlex.quote(command)}"


USERS = {
    user.name: user
    for user in (
        FreshUser("root", 0),
        FreshUser("withsudo", 1001, sudo=True),
        FreshUser("without", 1002),
        FreshUser("prepared", 1003, prepared=True),
    )
}

"""The real launcher program without some of its steps: `weak_launcher.py PLAN_FD MECHANISM...`.

bubblewrap needs a user namespace. Where that is left out, bare.py stands in for bubblewrap.
"""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
LAUNCHER = TESTS.parent / "sandbox/pageworker_sandbox/launch/launcher.py"
sys.path.insert(0, str(TESTS))

from pw_escape import bare
from pw_escape import mechanisms as m

# Loaded from its file, because its package imports modules that the launcher's interpreter does not have.
SPEC = spec_from_file_location("launcher", LAUNCHER)
assert SPEC is not None
assert SPEC.loader is not None
# Any: mypy does not know a module that is loaded from its file.
launcher: Any = module_from_spec(SPEC)
SPEC.loader.exec_module(launcher)


def nothing(*arguments: object) -> None:
    """Stands in for a step that is left out."""


def main(without: frozenset[str]) -> None:
    """Become the sandbox without these mechanisms. Never returns."""
    # bubblewrap works without a user namespace only if it runs as root and stays root.
    barely = m.USER_NS in without and (m.OWN_USER not in without or bool(without & {m.READ_ONLY_PROC, m.NOSUID}))
    prctl, execute = launcher.prctl, os.execve
    environment = dict(os.environ)

    def some_prctl(option: int, value: int) -> None:
        if option == launcher.PR_SET_NO_NEW_PRIVS and m.NO_NEW_PRIVS in without:
            return
        prctl(option, value)

    def execve(path: str, argv: list[str], env: dict[str, str]) -> None:
        env = environment if m.ENVIRONMENT in without else env
        if m.NEW_SESSION in without:
            take_terminal()
        if barely:
            bare.run(argv, env, without, launcher)
        execute(path, argv, env)

    launcher.prctl = some_prctl
    launcher.os = Overlay(os, execve=execve)
    if barely:
        bare.UID, become = [], launcher.become
        launcher.become = bare.UID.append
        bare.BECOME = become
    if m.OWN_USER in without:
        launcher.become = nothing
    if m.DIE_WITH_SUPERVISOR in without:
        launcher.die_with = nothing
    if m.NOEXEC_SCRATCH in without:
        launcher.MS_NOEXEC = 0
    launcher.main()


class Overlay:
    """A module with some names replaced."""

    def __init__(self, module: Any, **names: object) -> None:
        self.__dict__.update(names)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def take_terminal() -> None:
    """Become the leader of a session with a terminal, like a supervisor that an operator starts in a shell."""
    import fcntl
    import termios

    master, terminal = os.openpty()
    os.setsid() if os.getpid() != os.getsid(0) else None
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.set_inheritable(master, True)
    os.set_inheritable(terminal, True)
    os.dup2(terminal, 0)


if __name__ == "__main__":
    main(frozenset(sys.argv[2:]))

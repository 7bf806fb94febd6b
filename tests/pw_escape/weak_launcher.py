"""The real launcher program with some of its steps left out: `launcher.py PLAN_FD MECHANISM...`.

Without a user namespace bubblewrap can not be used: bare.py stands in for it then.
"""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
ENTER = TESTS.parent / "sandbox/pageworker_sandbox/launch/launcher.py"
sys.path.insert(0, str(TESTS))

from pw_escape import bare
from pw_escape import mechanisms as m

# By its file: the package around it needs what no launcher has.
SPEC = spec_from_file_location("enter", ENTER)
assert SPEC is not None
assert SPEC.loader is not None
enter: Any = module_from_spec(SPEC)
SPEC.loader.exec_module(enter)


def nothing(*arguments: object) -> None:
    """In the place of a step."""


def main(without: frozenset[str]) -> None:
    """Never returns."""
    # Root's bubblewrap can do without a user namespace, if it stays root.
    barely = m.USER_NS in without and (m.OWN_USER not in without or bool(without & {m.READ_ONLY_PROC, m.NOSUID}))
    prctl, execute = enter.prctl, os.execve
    environment = dict(os.environ)

    def some_prctl(option: int, value: int) -> None:
        if option == enter.PR_SET_NO_NEW_PRIVS and m.NO_NEW_PRIVS in without:
            return
        prctl(option, value)

    def execve(path: str, argv: list[str], env: dict[str, str]) -> None:
        env = environment if m.ENVIRONMENT in without else env
        if m.NEW_SESSION in without:
            take_terminal()
        if barely:
            bare.run(argv, env, without, enter)
        execute(path, argv, env)

    enter.prctl = some_prctl
    enter.os = Overlay(os, execve=execve)
    if barely:
        bare.UID, become = [], enter.become
        enter.become = bare.UID.append
        bare.BECOME = become
    if m.OWN_USER in without:
        enter.become = nothing
    if m.DIE_WITH_SUPERVISOR in without:
        enter.die_with = nothing
    if m.NOEXEC_SCRATCH in without:
        enter.MS_NOEXEC = 0
    enter.main()


class Overlay:
    """A module with other names on top."""

    def __init__(self, module: Any, **names: object) -> None:
        self.__dict__.update(names)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def take_terminal() -> None:
    """Be the leader of a session with a terminal, as a supervisor that was started by hand is."""
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

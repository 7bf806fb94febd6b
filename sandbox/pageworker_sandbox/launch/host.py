"""What this host offers to sandboxes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.flavor import Flavor
from pageworker_sandbox.launch.mounts import Bind, Mount
from pageworker_sandbox.launch.user_namespace import UserNamespace
from pageworker_sandbox.sandbox_rights import NAMES, RightName

OVERFLOW_UID = 65534
"""The kernel's overflow uid: an ordinary user for tests of the host, if the supervisor is root."""


@dataclass(frozen=True)
class Host:
    """The result of `survey`. Paths are paths inside a sandbox, except `bubblewrap` and `cgroups`."""

    bubblewrap: Path
    """On the host."""
    python: Path
    browsers: Mapping[Flavor, Path]
    """At least one."""
    system: tuple[Mount, ...]
    """Interpreter and libraries, for every sandbox."""
    runner: tuple[Mount, ...]
    """Browser, driver and code of a runner."""
    gateway: tuple[Mount, ...]
    """Code of the gateway and of its dialer."""
    renames: bool = True
    """Whether a sandbox can have its own host name. The default seccomp policies of containers forbid that."""
    user_namespace: UserNamespace | None = None
    """That of the worker; None: it has none, because it is root, or because all is done under its own user."""
    rights: frozenset[RightName] = frozenset()
    """What the host gives to sandboxes, as the survey has found."""
    required: frozenset[RightName] = frozenset()
    """Rights without which no sandbox is started: `sandbox.require`."""
    cgroups: Path | None = None
    """The cgroup above those of all sandboxes, on the host. None: they have none."""

    @property
    def own_users(self) -> bool:
        """Whether each sandbox gets a user of its own."""
        return self.user_namespace is not None or os.geteuid() == 0

    @property
    def namespace_descriptor(self) -> int | None:
        """Descriptor of the worker's user namespace, if it has one."""
        return None if self.user_namespace is None else self.user_namespace.descriptor

    @property
    def test_uid(self) -> int | None:
        """User of the self-test's sandbox; None: the worker's own."""
        if self.user_namespace is not None:
            return self.user_namespace.test_uid
        return OVERFLOW_UID if self.own_users else None

    def source_of(self, browser: Path) -> Path:
        """Where the host has a browser that is at this path inside a sandbox."""
        binds = (mount for mount in self.runner if isinstance(mount, Bind))
        source = next((bind.source for bind in binds if bind.inside == browser.parent), browser.parent)
        return source / browser.name

    def rights_by_name(self) -> dict[str, bool]:
        """Each right, and whether this host has it."""
        return {name: name in self.rights for name in NAMES}

"""Whether AppArmor keeps user namespaces from programs without a profile, as on Ubuntu 24.04, and what to do then."""

from pathlib import Path

RESTRICTION = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
"""1: a program without a profile gets no capabilities in a user namespace that it makes. Ubuntu's kernels have it."""
LABELS = (Path("/proc/self/attr/apparmor/current"), Path("/proc/self/attr/current"))
"""The profile of this process. The first one is of Linux 5.8 and later, and no other security module answers there."""
INSTALL_PROFILE = (
    "AppArmor restricts user namespaces here. Load the profile deploy/apparmor/pageworker: sudo"
    " deploy/apparmor/load.sh. Then start pageworker and workerctl by their paths in .venv/bin, to which it attaches."
    " Or use the container image on a host without the restriction (docs/distributions.md)"
)


def restricts_user_namespaces() -> bool:
    """Whether the kernel restricts programs without a profile."""
    try:
        return RESTRICTION.read_text().strip() not in ("", "0")
    except OSError:
        return False


def profile_of_this_process() -> str | None:
    """The name of the AppArmor profile, without its mode; None without one."""
    for file in LABELS:
        try:
            label = file.read_text().strip("\0\n ")
        except OSError:
            continue
        name = label.partition(" (")[0]
        return None if name in ("", "unconfined") else name
    return None


def mend_user_namespaces(otherwise: str) -> str:
    """How to get user namespaces: by the profile, where AppArmor restricts them and this process has no profile."""
    if not restricts_user_namespaces():
        return otherwise
    profile = profile_of_this_process()
    if profile is None:
        return INSTALL_PROFILE
    return (
        f"give the AppArmor profile {profile} of this process the rule `userns,`, as deploy/apparmor/pageworker has it"
    )

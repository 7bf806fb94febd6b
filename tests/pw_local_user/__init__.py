"""A default daemon that root started, and what an ordinary user of its host tries."""

from pw_local_user.host import LocalUserHost, default_daemon
from pw_local_user.tries import USER, LocalTry, act, act_as, act_as_root

__all__ = ["USER", "LocalTry", "LocalUserHost", "act", "act_as", "act_as_root", "default_daemon"]

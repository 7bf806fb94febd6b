"""A default daemon that root started, and what an ordinary user of its host tries."""

from pw_local_user.host import Host, default_daemon
from pw_local_user.tries import USER, Attempt, act, act_as_root

__all__ = ["USER", "Attempt", "Host", "act", "act_as_root", "default_daemon"]

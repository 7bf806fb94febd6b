"""Programs as the worker's own user, with the capabilities that a unit of systemd would grant."""

from pw_rights.as_user import SKIP_REASON, USER, as_user, can_run

__all__ = ["SKIP_REASON", "USER", "as_user", "can_run"]

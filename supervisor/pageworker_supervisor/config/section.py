"""The base of all sections of the settings."""

from msgspec import Struct

from pageworker_supervisor.config.redact import redacted


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: frozen, no unknown keys, no passwords in its text."""

    def __repr__(self) -> str:
        # Settings appear in logs and tracebacks, and a Redis URL may contain a password.
        return f"{type(self).__name__}({redacted(self)})"

"""What a trusted key may sign, and how many keys some modules need. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.keys import PublicKey

EVERYTHING = ("*",)


@dataclass(frozen=True)
class KeyScope:
    """What one key may sign: modules, for tenants, on channels, all as globs. The default is everything.

    `may_index`: whether it may sign the index. `may_rules`: whether it may sign blocker rules. From `not_after` on, its
    signatures do not count.
    """

    modules: tuple[str, ...] = EVERYTHING
    tenants: tuple[str, ...] = EVERYTHING
    channels: tuple[str, ...] = EVERYTHING
    may_index: bool = True
    not_after: datetime | None = None
    may_rules: bool = True

    def text(self, *, tenants: bool = False) -> str:
        """The scope for people. The names of tenants only on demand: a result must not show them to another tenant."""
        parts = [f"modules {', '.join(self.modules)}", f"channels {', '.join(self.channels)}"]
        if tenants:
            parts.insert(1, f"tenants {', '.join(self.tenants)}")
        parts.append(f"valid until {instant_text(self.not_after)}" if self.not_after else "without expiry")
        return "; ".join(parts)


FULL_SCOPE = KeyScope()


@dataclass(frozen=True)
class TrustedKey:
    """A public key with its scope. `label` is the name that the trust file gives it, or empty."""

    public: PublicKey
    scope: KeyScope = FULL_SCOPE
    label: str = ""

    @property
    def name(self) -> str:
        """The id as minisign prints it, and the label."""
        return f"{self.public.name} ({self.label})" if self.label else self.public.name


@dataclass(frozen=True)
class Revocation:
    """Since when, and why, no signature of a key counts, whatever its date."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class SignatureRule:
    """Modules (globs) that need signatures by several keys. `key_ids`: the keys that count; None: all."""

    modules: tuple[str, ...]
    signatures: int
    key_ids: frozenset[bytes] | None = None

    def counted(self, keys: Iterable[TrustedKey]) -> list[TrustedKey]:
        """Those of the keys that this rule counts."""
        return [key for key in keys if self.key_ids is None or key.public.id in self.key_ids]


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs is for this name. `*` stands for any characters, `?` for one."""
    return any(fnmatchcase(name, glob) for glob in globs)

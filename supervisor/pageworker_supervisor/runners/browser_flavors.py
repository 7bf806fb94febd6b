"""Which browser of this worker runs a context. Pure: the installed browsers and the settings in, a path out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.flavor import Flavor, FlavorWish
from pageworker_supervisor.contract.context_key import ContextKey

NAMES: dict[Flavor, str] = {"full": "full browser", "shell": "headless shell"}


class FlavorMissing(Exception):
    """This worker has no browser of the flavor that a module asks for. Another worker may have it."""


@dataclass
class BrowserFlavors:
    """`installed` has at least one browser, and that of `preferred` unless that is "auto"."""

    installed: Mapping[Flavor, Path]
    preferred: FlavorWish = "auto"

    def replace_installed(self, installed: Mapping[Flavor, Path]) -> None:
        """The host was looked over again: what was broken may have been replaced by another browser."""
        self.installed = installed

    def flavor(self, context: ContextKey) -> Flavor:
        """What the context's modules ask for, or else what this worker prefers. Raises FlavorMissing."""
        if context.flavor != "auto":
            if context.flavor not in self.installed:
                raise FlavorMissing(
                    f"its module asks for the {NAMES[context.flavor]} ([browser] flavor in module.toml), which this "
                    f"worker does not have: install it on a worker, or unset browser.executable"
                )
            return context.flavor
        if self.preferred != "auto":
            return self.preferred
        # What a site sees of a profile stays the same for years, so it is what people use. All else is for speed.
        wanted: Flavor = "shell" if context.profile_id is None else "full"
        return wanted if wanted in self.installed else next(iter(self.installed))

    def binary(self, context: ContextKey) -> Path:
        """The path inside a sandbox. Raises FlavorMissing."""
        return self.installed[self.flavor(context)]

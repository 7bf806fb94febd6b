"""Rules of the settings about modules: which channel a tag means, and which version a tenant pins. Pure."""

from collections.abc import Iterator, Mapping

from pageworker_sandbox.signing.manifest import MAX_NAME, NAME
from pageworker_sandbox.signing.version import SEMVER
from pageworker_supervisor.config.value_checks import RuleFinding

MOST_PINS = 1000


def pin_findings(at: tuple[str, ...], pins: Mapping[str, str]) -> Iterator[RuleFinding]:
    """Pins that name no module or no version."""
    if len(pins) > MOST_PINS:
        yield (*at, "pins"), f"{len(pins)} entries", f"at most {MOST_PINS}", ""
    for module, version in pins.items():
        if len(module) > MAX_NAME or not NAME.fullmatch(module):
            yield (*at, "pins", module), module[:MAX_NAME], "the name of a module, e.g. shop.product", "no globs"
        if len(version) > MAX_NAME or not SEMVER.fullmatch(version):
            hint = "a range is no pin: name one version"
            yield (*at, "pins", module), version[:MAX_NAME], "a version, e.g. 1.4.2", hint

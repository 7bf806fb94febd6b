"""All targets by name. Importing this imports everything that is fuzzed."""

from fuzz import planted
from fuzz.target import FuzzTarget
from fuzz.targets import gateway_parsers, gateway_session, pushed_texts, signed_packages, signed_registries, wire_frames

TARGETS: dict[str, FuzzTarget] = {
    target.name: target
    for module in (gateway_session, gateway_parsers, wire_frames, signed_packages, signed_registries, pushed_texts)
    for target in module.FUZZ_TARGETS
}
CONTROL = planted.TARGET


def by_name(name: str) -> FuzzTarget:
    """Raises KeyError."""
    return CONTROL if name == CONTROL.name else TARGETS[name]

"""What findings mean by the settings of their checks."""

import msgspec
import pytest

from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.self_checks.effects import (
    ChecksRefused,
    changes,
    finding_lines,
    mode_of,
    refused,
    switched_on,
    warned,
)
from pageworker_supervisor.self_checks.finding import Finding, unknown

FAILED = Finding("redis_clock", False, "9 s apart", "run chrony")
FINE = Finding("redis_clock", True, "0 s apart")
ADVICE = Finding("redis_clock", True, "0 s apart", "could be better")
NOT_KNOWN = unknown("redis_clock", "TIME", "ask")


@pytest.mark.parametrize(
    ("mode", "finding", "effect"),
    [
        ("refuse", FAILED, "refused"),
        ("warn", FAILED, "warned"),
        ("off", FAILED, ""),
        ("refuse", FINE, ""),
        ("warn", ADVICE, ""),
        ("refuse", NOT_KNOWN, "warned"),
        ("warn", NOT_KNOWN, "warned"),
        ("off", NOT_KNOWN, ""),
    ],
)
def test_a_finding_has_the_effect_of_its_setting(mode: str, finding: Finding, effect: str) -> None:
    checks = msgspec.convert({"redis_clock": mode}, CheckSettings)
    assert bool(refused(checks, [finding])) is (effect == "refused")
    assert bool(warned(checks, [finding])) is (effect == "warned")
    assert bool(switched_on(checks, [finding])) is (mode != "off")


def test_a_check_without_a_setting_is_a_bug() -> None:
    with pytest.raises(KeyError):
        mode_of(CheckSettings(), "redis_moon")


def test_a_refusal_lists_every_finding_and_how_to_fix_it() -> None:
    lines = str(ChecksRefused((FAILED, Finding("redis_version", False, "6\n2", "install 7")))).splitlines()
    assert lines == [
        "2 self-checks refuse to start this worker:",
        "  redis_clock: 9 s apart",
        "    → run chrony",
        "  redis_version: 6\\n2",
        "    → install 7",
    ]
    assert str(ChecksRefused((FAILED,))).startswith("1 self-check refuses ")
    assert finding_lines(FINE) == ["redis_clock: 0 s apart"]


def test_a_check_is_lost_once_and_regained_once() -> None:
    lost = changes({}, [FAILED])
    assert (lost.lost, lost.regained) == ((FAILED,), ())
    before = {FAILED.name: FAILED}
    assert changes(before, [FAILED]) == changes({}, [FINE])
    regained = changes(before, [FINE])
    assert (regained.lost, regained.regained) == ((), (FINE,))
    assert changes(before, [NOT_KNOWN]) == changes({}, [NOT_KNOWN]) == changes({}, [FINE])

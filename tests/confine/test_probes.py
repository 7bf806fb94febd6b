"""Probes: what counts as a refusal, and what as a breach."""

import errno

import pytest

from pageworker_sandbox.confine import ConfinementFailed, probes
from pageworker_sandbox.confine.probes import CALL_REFUSALS, FILE_REFUSALS, ConfinementProbe


def raising(code: int) -> object:
    raise OSError(code, "x")


@pytest.mark.parametrize("code", sorted(CALL_REFUSALS))
def test_a_refusal_is_told_by_its_name(code: int) -> None:
    assert ConfinementProbe("x", lambda: raising(code)).run() == errno.errorcode[code]


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EINVAL, errno.EBADF])
def test_another_error_means_that_the_kernel_did_look_and_is_a_breach(code: int) -> None:
    with pytest.raises(ConfinementFailed, match=errno.errorcode[code]):
        ConfinementProbe("x", lambda: raising(code)).run()


def test_a_file_that_is_not_there_is_a_refusal_for_files_only() -> None:
    assert errno.ENOENT in FILE_REFUSALS
    assert errno.ENOENT not in CALL_REFUSALS


def test_probes_have_names_of_their_own_and_fail_in_a_process_that_is_not_confined() -> None:
    names = [probe.name for probe in probes.PROBES]
    assert len(names) == len(set(names)) >= 30
    with pytest.raises(ConfinementFailed):
        probes.refusals()


def test_what_a_runner_needs_works_here() -> None:
    probes.still_works()

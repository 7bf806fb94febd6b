"""The exit codes of a runner cannot be mistaken for those of anything else in its process tree."""

import signal

from pageworker_runner.exit_codes import RunnerExit


def test_every_code_but_a_clean_stop_is_a_code_of_its_own() -> None:
    failures = [code for code in RunnerExit if code is not RunnerExit.STOPPED]
    assert int(RunnerExit.STOPPED) == 0
    assert len(set(failures)) == len(failures) == 5
    # 1 and 2 are Python's own, 126 and 127 a shell's, from 128 on signals.
    assert all(64 < code < 126 for code in failures)
    assert not {128 + number for number in signal.Signals} & set(failures)

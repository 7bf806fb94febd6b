"""The error of a failed confinement."""

import pytest

from pageworker_sandbox.confine import ConfinementFailed
from pageworker_sandbox.confine.probes import ConfinementProbe


def test_it_names_the_probe_and_is_no_os_error() -> None:
    # An `except OSError` around the set-up of a runner must not swallow it.
    with pytest.raises(ConfinementFailed, match="probe x: the kernel permitted it") as caught:
        ConfinementProbe("x", lambda: None).run()
    assert not isinstance(caught.value, OSError)

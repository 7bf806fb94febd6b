import subprocess
import sys

import pytest

from profiles_load.memory_group import memory_group

MIB = 1024**2
TAKE = "import sys; kept = bytearray(b'x') * (int(sys.argv[1]) << 20); print('kept')"


def test_what_is_below_it_has_no_more_memory_than_that() -> None:
    try:
        with memory_group(96 * MIB) as group:
            within = subprocess.run([*group.prefix, sys.executable, "-c", TAKE, "40"], capture_output=True, text=True)
            assert within.stdout == "kept\n"
            assert group.killed() == 0
            above = subprocess.run([*group.prefix, sys.executable, "-c", TAKE, "200"], capture_output=True, text=True)
            assert above.returncode == -9
            assert group.killed() == 1
            assert group.used_bytes() < 96 * MIB
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    assert not group.folder.exists()

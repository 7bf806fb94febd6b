"""User ids of the tests that start sandboxes as root.

RLIMIT_NPROC counts the processes of a user on the whole machine. So each test process has a hundred ids of its own,
which the programs that it starts share with it.
"""

import os

VARIABLE = "PW_TEST_FIRST_UID"
FIRST_UID = int(os.environ.get(VARIABLE, 1_900_000_000 + 100 * (os.getpid() % 100_000)))

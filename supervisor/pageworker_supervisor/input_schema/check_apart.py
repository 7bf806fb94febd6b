"""One check in a schema checker of its own."""

import os
import subprocess
import sys

import msgspec

from pageworker_supervisor.input_schema.check_limits import CheckLimits
from pageworker_supervisor.input_schema.errors import CheckerEnded
from pageworker_supervisor.input_schema.messages import LENGTH_BYTES, SchemaAnswer, SchemaCheck, frame

ANSWER_SECONDS = 30.0
"""For a check that does not get the processor, or that hangs. The limit of a check counts processor time."""


def check_apart(check: SchemaCheck, limits: CheckLimits) -> SchemaAnswer:
    """The answer of a new process. Blocks.

    Raises CheckerEnded if the check ended the process. Raises OSError if the process does not start or does not
    answer.
    """
    try:
        ended = subprocess.run(
            command(limits),
            input=frame(check),
            capture_output=True,
            timeout=ANSWER_SECONDS,
            env={},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise OSError(f"the schema checker did not answer within {ANSWER_SECONDS:g} s") from expired
    if not ended.stdout:
        raise OSError(f"the schema checker did not start: {ended.stderr.decode(errors='replace').strip()[-500:]}")
    if ended.returncode != 0:
        raise CheckerEnded(ended.returncode)
    return msgspec.msgpack.decode(ended.stdout[2 * LENGTH_BYTES :], type=SchemaAnswer)


def command(limits: CheckLimits) -> tuple[str, ...]:
    """The command line of a schema checker whose parent is this process. It needs no environment."""
    module = "pageworker_supervisor.input_schema.schema_checker"
    words = (os.getpid(), limits.seconds, limits.memory_bytes, limits.kept_bytes)
    return (sys.executable, "-I", "-m", module, *map(str, words))

"""The priority of a log line, as systemd's journal reads it from the beginning of a line. Pure.

Source: sd-daemon(3). journald takes `<N>` off the line and stores it as the field PRIORITY, so that `journalctl -p err`
finds what it should, and colours it.
"""

CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG = 2, 3, 4, 5, 6, 7
"""syslog(3)."""

# The highest level comes first. Audit lines have level 60, so that none is left out: they are no emergency.
LEVELS = ((60, NOTICE), (50, CRITICAL), (40, ERROR), (30, WARNING), (20, INFO))


def priority_of(level: int) -> int:
    """The priority of a level, given as its number in loguru."""
    return next((priority for lowest, priority in LEVELS if level >= lowest), DEBUG)


def with_priority(text: str, level: int) -> str:
    """Each line of `text` with its priority: journald reads every line by itself."""
    begin = f"<{priority_of(level)}>"
    return "".join(begin + line for line in text.splitlines(keepends=True))

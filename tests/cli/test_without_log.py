"""A command that prints an answer prints no log line of a package beside it."""

import pytest
from loguru import logger

from pageworker_supervisor.cli.without_log import without_log


def test_a_package_is_silent_for_the_block_alone() -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    try:
        with pytest.raises(KeyError), without_log(__name__):
            logger.info("within")
            raise KeyError
        logger.info("after")
    finally:
        logger.remove(sink)
    assert [line.strip() for line in lines] == ["after"]

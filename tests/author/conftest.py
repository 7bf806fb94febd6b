"""An option of the tests of examples."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-examples", action="store_true", help="write the HAR files of the examples again")

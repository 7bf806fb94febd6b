"""The files of Playwright's driver: its Node.js, the features that it switches off, its clock."""

import ast
import re
from functools import cache
from pathlib import Path

import playwright
from playwright._impl._driver import compute_driver_executable

from pageworker_runner.errors import StartError

DRIVER_CODE = Path(playwright.__file__).parent / "driver/package/lib"
DRIVER_BUNDLE = DRIVER_CODE / "coreBundle.js"

FEATURE_LIST = re.compile(rb"disabledFeatures = \[(.*?)\]", re.DOTALL)

CLOCK_SOURCE = re.compile(rb"""generated/clockSource\.ts"\(\) \{\s+"use strict";\s+source = ('(?:[^'\\\n]|\\.)*');""")

COMMENT = re.compile(r"//[^\n]*")


def node_program() -> Path:
    """Playwright's own Node.js, which runs its driver."""
    node, _ = compute_driver_executable()
    return Path(node)


def bundles() -> tuple[Path, Path]:
    """The two files that hold nearly all code of the driver."""
    return DRIVER_BUNDLE, DRIVER_CODE / "utilsBundle.js"


def disabled_features() -> tuple[str, ...]:
    """The features of Chromium that Playwright switches off. Reads its driver in 15 ms. Raises StartError."""
    found = FEATURE_LIST.search(DRIVER_BUNDLE.read_bytes())
    names = re.findall(r'"(\w+)"', COMMENT.sub("", found[1].decode())) if found else []
    if not names:
        raise StartError(
            f"browser: the installed Playwright has no list `disabledFeatures` in {DRIVER_BUNDLE.name}: "
            "install the version that requirements/run.txt names"
        )
    return tuple(names)


@cache
def clock_source() -> str:
    """The script by which the driver gives a document a clock. Reads its files in 15 ms. Raises StartError."""
    found = CLOCK_SOURCE.search(DRIVER_BUNDLE.read_bytes())
    if found is None:
        raise StartError(
            f"browser: the installed Playwright has no script of its clock in {DRIVER_BUNDLE.name}: "
            "install the version that requirements/run.txt names"
        )
    # A literal of esbuild: its escapes are those of Python.
    source: str = ast.literal_eval(found[1].decode())
    return source

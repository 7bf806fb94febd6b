"""Private parts of Playwright that the suite imports, under the names that they have in the suite's own release.

Used in the suite's interpreter and, in a bundle, in the sandbox.
"""

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PRIVATE = "playwright._impl"
MOVED = {
    "_browser": ("Browser", "browser"),
    "_glob": ("glob_to_regex_pattern", "isomorphic.url_match"),
    "_helper": ("url_matches", "isomorphic.url_match"),
    "_network": ("*", "network"),
    "_page": ("Page", "page"),
    "_selectors": ("Selectors", "selectors"),
}
"""Module in the suite's release: name, module in the installed one."""


def install() -> None:
    """Make them importable, for the rest of the process. What is there already stays."""
    for module, (name, source) in MOVED.items():
        found = vars(importlib.import_module(f"{PRIVATE}.{source}"))
        _add(module, found if name == "*" else {name: found[name]})
    _add("_path_utils", {"get_file_dirname": _folder_of_caller})


def _add(module: str, parts: dict[str, Any]) -> None:
    full = f"{PRIVATE}.{module}"
    try:
        target = importlib.import_module(full)
    except ModuleNotFoundError:
        target = sys.modules[full] = ModuleType(full)
    for name, part in parts.items():
        vars(target).setdefault(name, part)


def _folder_of_caller() -> Path:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return Path(frame.f_back.f_code.co_filename).parent.absolute()

"""The folder worker's actions in threads of the test, in place of processes: they take a tenth of the processor time.

tests/profiles/test_folder_worker.py and tests/profiles/snapshots/test_transfers.py run the process.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pageworker_profiles import errors, walks
from pageworker_profiles.errors import explained
from pageworker_profiles.sizes import FolderSize
from pageworker_profiles.snapshots import transfers


def act_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test."""
    monkeypatch.setattr("pageworker_profiles.folders.call_worker", _call_worker)
    monkeypatch.setattr("pageworker_profiles.folders.walk", _walk)


async def _call_worker(
    action: str, folder: Path, *numbers: int, message: Mapping[str, Any], **_: object
) -> dict[str, Any]:
    def act() -> dict[str, Any]:
        with explained(action, folder):
            return transfers.act(action, folder, list(numbers), dict(message))

    return await asyncio.to_thread(act)


async def _walk(action: str, folder: Path, *numbers: int, **_: object) -> FolderSize:
    answer = await asyncio.to_thread(walks.answer, action, folder, list(numbers))
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["text"], **answer["fields"])
    return FolderSize(answer["files"], answer["bytes"])

"""Starts the folder worker for one action, and kills it when the task that waits for it is cancelled."""

import asyncio
import marshal
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pageworker_profiles import errors, folder_worker
from pageworker_profiles.errors import FolderWorkerFailed
from pageworker_profiles.sizes import FolderSize


async def walk(
    action: str, folder: Path, *numbers: int, held: Sequence[int] = (), namespace: int | None = None
) -> FolderSize:
    """Run one action that answers with a size. See call_worker."""
    answer = await call_worker(action, folder, *numbers, held=held, namespace=namespace)
    return FolderSize(answer["files"], answer["bytes"])


async def call_worker(
    action: str,
    folder: Path,
    *numbers: int,
    held: Sequence[int] = (),
    namespace: int | None = None,
    message: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Run one action of folder_worker.py. Returns its answer. Raises ProfileError.

    `held` are descriptors that the worker inherits. With that of a lock, a worker that outlives the daemon keeps the
    lock. `namespace`: as in ProfileFolders. `message`: what the action reads from stdin.
    """
    inside = "-" if namespace is None else str(namespace)
    command = [_interpreter(), "-I", "-S", folder_worker.__file__, str(os.getpid()), inside, action, str(folder)]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            *map(str, numbers),
            stdin=subprocess.DEVNULL if message is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[*held, *([] if namespace is None else [namespace])],
            cwd="/",
            env={},
        )
    except OSError as error:
        raise FolderWorkerFailed(f"{action} {folder}: the worker does not start: {error.strerror or error}") from error
    try:
        output, errors_text = await process.communicate(None if message is None else marshal.dumps(dict(message)))
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if (status := process.returncode or 0) != 0:
        text = errors_text.decode(errors="replace").strip()[-2000:]
        raise FolderWorkerFailed(
            f"{action} {folder}: the worker ended with status {status}: {text}",
            -status if status < 0 else None,
        )
    answer: dict[str, Any] = marshal.loads(output)  # noqa: S302 - folder_worker.py wrote it, with the same interpreter
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["text"], **answer["fields"])
    return answer


def _interpreter() -> str:
    return str(getattr(sys, "_base_executable", None) or sys.executable)

"""Files of this host that a command sends along with its job: `--attach claim.pdf=./scan.pdf`."""

import mimetypes
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.contract.job_files import FILE_NAME, MAX_FILES, NamedFile, check_files
from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.files.stored_file import PLAIN_TYPE, StoredFile, new_file_id

READ_BYTES = 1024 * 1024


class AttachInvalid(ValueError):
    """The option does not name a file that can be sent. The message says why."""


class AttachedFile(Struct, frozen=True):
    """A file of this host, and its name in the job."""

    name: str
    path: Path


def attached_files(options: Iterable[str]) -> tuple[AttachedFile, ...]:
    """`NAME=PATH`, or `PATH` for a file that keeps its name. Raises AttachInvalid."""
    found: dict[str, AttachedFile] = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not equals:
            name, path = Path(option).name, option
        if not re.match(FILE_NAME, name) or not path:
            raise AttachInvalid(f"`{option}`: write NAME=PATH, e.g. claim.pdf=./scan.pdf; NAME is no path")
        if name in found:
            raise AttachInvalid(f"`{name}` is given twice")
        found[name] = AttachedFile(name, Path(path))
    if len(found) > MAX_FILES:
        raise AttachInvalid(f"a job has at most {MAX_FILES} files")
    return tuple(found.values())


async def upload_files(
    store: FileStore, tenant_id: str, attached: Sequence[AttachedFile], settings: FileSettings
) -> tuple[NamedFile, ...]:
    """Store the files, as the API does. Raises AttachInvalid, FileStoreAway."""
    return tuple([await _upload(store, tenant_id, file, settings) for file in attached])


async def _upload(store: FileStore, tenant_id: str, attached: AttachedFile, settings: FileSettings) -> NamedFile:
    with store.spool() as spool:
        try:
            with attached.path.open("rb") as opened:
                while part := opened.read(READ_BYTES):
                    if spool.bytes + len(part) > settings.max_bytes:
                        raise AttachInvalid(f"{attached.path}: more than {settings.max_bytes} bytes (files.max_bytes)")
                    await spool.append(part)
        except OSError as error:
            raise AttachInvalid(f"{attached.path}: {error.strerror}") from error
        if spool.bytes == 0:
            raise AttachInvalid(f"{attached.path}: it is empty")
        expires_at = int(time.time() + settings.keep_hours * 3600)
        file = StoredFile(
            file_id=new_file_id(expires_at),
            tenant_id=tenant_id,
            name=attached.name,
            sha256=await spool.ended(),
            bytes=spool.bytes,
            content_type=mimetypes.guess_type(attached.name)[0] or PLAIN_TYPE,
            expires_at=expires_at,
        )
        await store.put(file, spool)
    return NamedFile(name=file.name, file_id=file.file_id, sha256=file.sha256)


def with_files(job_text: bytes, files: Sequence[NamedFile]) -> bytes:
    """The JSON of a job with these files behind its own. Raises ContractError."""
    fields = msgspec.json.decode(job_text, type=dict[str, msgspec.Raw])
    own = msgspec.json.decode(fields["files"], type=list[NamedFile]) if "files" in fields else []
    check_files([*own, *files])
    return msgspec.json.encode({**fields, "files": [*own, *files]})

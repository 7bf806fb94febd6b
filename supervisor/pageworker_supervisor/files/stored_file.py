"""What is stored of an upload: one object that begins with its description. Pure.

The first HEADER_BYTES are JSON, a line feed at their end. The bytes of the file follow. So an upload is there with its
description, or not at all, and needs no record beside the store.
"""

import re
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.contract.job import TENANT_ID
from pageworker_supervisor.contract.job_files import FILE_ID, FILE_NAME, SHA256

HEADER_BYTES = 2048
CONTENT_TYPE = r"^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}\Z"
PLAIN_TYPE = "application/octet-stream"


class StoredFile(Struct, frozen=True, kw_only=True):
    """The description of an upload. `bytes`: its size. `expires_at`: Unix seconds."""

    file_id: Annotated[str, Meta(pattern=FILE_ID)]
    tenant_id: Annotated[str, Meta(pattern=TENANT_ID)]
    name: Annotated[str, Meta(pattern=FILE_NAME)]
    sha256: Annotated[str, Meta(pattern=SHA256)]
    bytes: Annotated[int, Meta(ge=0)]
    content_type: Annotated[str, Meta(pattern=CONTENT_TYPE)]
    expires_at: Annotated[int, Meta(ge=0)]


_decoder = msgspec.json.Decoder(StoredFile)


class HeaderUnreadable(ValueError):
    """The object is no upload: something else has written it."""


def new_file_id(expires_at: float) -> str:
    """`f_` + when it expires + `_` + 128 random bits. The store needs no other record to delete it in time."""
    return f"f_{int(expires_at):010d}_{secrets.token_hex(16)}"


def expiry_of(file_id: str) -> int | None:
    """Unix seconds; None: it is no id of a file."""
    return int(file_id[2:12]) if re.match(FILE_ID, file_id) else None


def key_of(tenant_id: str, file_id: str) -> str:
    """The key below the store's URL. An id of one tenant names nothing below another's."""
    return f"{tenant_id}/{file_id}"


def header_of(file: StoredFile) -> bytes:
    """HEADER_BYTES that describe it."""
    text = msgspec.json.encode(file)
    if len(text) >= HEADER_BYTES:
        raise ValueError(f"a description of {len(text)} bytes")
    return text.ljust(HEADER_BYTES - 1) + b"\n"


def parse_header(untrusted_header: bytes, tenant_id: str, file_id: str) -> StoredFile:
    """The description. Raises HeaderUnreadable if it is none, or of another upload."""
    try:
        file = _decoder.decode(untrusted_header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HeaderUnreadable(str(error)) from error
    if (file.tenant_id, file.file_id) != (tenant_id, file_id) or file.expires_at != expiry_of(file_id):
        raise HeaderUnreadable("it describes another upload")
    return file

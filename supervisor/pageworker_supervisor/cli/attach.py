"""Stores the files of `--attach` where workers look for uploads."""

from pageworker_author.attached_files import AttachedFile, AttachInvalid, upload_files, with_files
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.files.errors import FileStoreAway
from pageworker_supervisor.files.store import FileStore


async def with_attached(
    text: bytes, tenant_id: str, attached: tuple[AttachedFile, ...], settings: Settings, store: FileStore | None = None
) -> bytes:
    """The job with its files, which are stored now. `store`: in place of the one of the settings."""
    try:
        files = store or FileStore.open(settings.files.url, data_dir_of(settings))
        return with_files(text, await upload_files(files, tenant_id, attached, settings.files))
    except (AttachInvalid, ContractError) as error:
        raise CommandError(str(error), exit_code=CommandExit.USAGE) from error
    except (FileStoreAway, OSError) as away:
        mend = "`files.url` names the store of uploads; its folder is the worker's."
        raise CommandError(f"the files were not stored: {away}", mend) from away

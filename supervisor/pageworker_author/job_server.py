"""The process that runs the jobs of tests: `python -m pageworker_author.job_server OPTIONS`.

It reads requests from stdin and writes answers to stdout, line by line, and ends with its stdin. One browser stays warm
for all tests. It is a process of its own, since a worker hardens its process and kills what it started when the thread
ends that started it (prctl(2), PR_SET_PDEATHSIG): neither is right for pytest.
"""

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import unquote

import msgspec
import uvloop
from msgspec.structs import replace

from pageworker_author.folder_watch import FolderState, FolderWatch
from pageworker_author.har_file import HarFileUnusable, har_text, placeholder
from pageworker_author.har_runtime import NOT_RECORDED, RECORDING
from pageworker_author.job_messages import RunAnswer, ServerOptions, TestedResult, TestedRun
from pageworker_author.local_job import for_one_page, job_text
from pageworker_author.secret_values import GivenSecrets, SecretFileUnusable, read_values, with_every_grant, with_file
from pageworker_author.tested_bundle import PACKAGE, recording_bundle, replaying_bundle
from pageworker_sandbox.launch import HostUnfit
from pageworker_sandbox.signing import ModuleError, PackedBundle
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.result import ArtifactRecord, Result
from pageworker_supervisor.host.descriptor_limit import raise_limit
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.hardening import harden
from pageworker_supervisor.local_worker import LocalRunFailed, LocalSetup, LocalWorker, local_setup, local_worker
from pageworker_supervisor.obstore_panics import build_runtime
from pageworker_supervisor.registry.errors import PackRefused, RegistryRefused
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.secrets.backend import FetchedSecret, SecretBackend, SecretRef
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.telemetry.logs import log_for_author

MAX_LINE_BYTES = 64 * 1024 * 1024


def main() -> int:
    """Serve until stdin ends. What prevents that is the answer to the first request."""
    options = msgspec.json.decode(sys.argv[1], type=ServerOptions)
    # Nothing but answers may reach the pipe of stdout.
    answers = os.dup(1)
    os.dup2(2, 1)
    log_for_author(sys.stderr)
    try:
        settings, configured = _settings(options)
        harden()
        raise_limit()
        build_runtime()
        secrets = SessionSecrets(configured)
        with local_setup(for_one_page(settings, Path(options.artifacts))) as setup:
            uvloop.run(JobServer(answers, secrets).serve(setup.with_secrets(secrets)))
    except (ConfigInvalid, HostUnfit, HostRefused, SecretFileUnusable, OSError) as refused:
        _write(answers, _no_run(refused))
        return 1
    return 0


def _settings(options: ServerOptions) -> tuple[Settings, SecretBackend]:
    """The settings, and where secrets come from while a run records."""
    settings = load(Path(options.config) if options.config else None, os.environ, new_registry=True)
    if options.secrets is not None:
        file = Path(options.secrets)
        return with_file(settings, file), GivenSecrets(read_values(file).get)
    if options.record:
        return settings, open_backend(settings.secrets, os.environ)
    return with_every_grant(settings), GivenSecrets(lambda _: None)


class SessionSecrets:
    """Placeholders while a run replays. While it records, the secrets of a backend."""

    def __init__(self, backend: SecretBackend) -> None:
        self.recording = False
        self._backend = backend
        self._placeholders = GivenSecrets(placeholder)

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend."""
        return await (self._backend if self.recording else self._placeholders).fetch(ref)

    async def run(self) -> None:
        """See SecretBackend."""
        await self._backend.run()


class JobServer:
    """Runs what is asked for, one after the other."""

    def __init__(self, answers: int, secrets: SessionSecrets) -> None:
        self._answers = answers
        self._secrets = secrets
        self._number = 0
        self._packed: dict[str, tuple[FolderState, PackedBundle]] = {}

    async def serve(self, setup: LocalSetup) -> None:
        """Answer each request, until stdin ends."""
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async with local_worker(setup) as worker:
            while line := await reader.readline():
                answer = await self._answer(worker, msgspec.json.decode(line, type=TestedRun))
                await asyncio.to_thread(_write, self._answers, answer)

    async def _answer(self, worker: LocalWorker, wanted: TestedRun) -> RunAnswer:
        try:
            return RunAnswer(result=await self._run(worker, wanted))
        except (ModuleError, RegistryRefused, PackRefused, ContractError, LocalRunFailed, HarFileUnusable) as refused:
            return _no_run(refused)
        except OSError as error:
            return _no_run(error)

    async def _run(self, worker: LocalWorker, wanted: TestedRun) -> TestedResult:
        packed = await asyncio.to_thread(self._pack, Path(wanted.folder))
        self._number += 1
        self._secrets.recording = wanted.record
        if wanted.record:
            bundle = recording_bundle(packed, self._number)
        else:
            bundle = replaying_bundle(packed, self._number, _read(Path(wanted.har)))
        payload = msgspec.json.encode(wanted.payload).decode()
        job = job_text(bundle, payload, wanted.tenant, timeout_seconds=wanted.timeout_seconds)
        await worker.publish(bundle)
        result = msgspec.json.decode(await worker.run(job), type=Result)
        files = {artifact.kind: artifact for artifact in result.artifacts}
        if wanted.record and (recording := files.get(RECORDING)) is not None:
            text = har_text(_path(recording).read_bytes())
            await asyncio.to_thread(Path(wanted.har).write_bytes, text)
        return tested_result(result, _missed(files.get(NOT_RECORDED)))

    def _pack(self, folder: Path) -> PackedBundle:
        """The bundle of the folder, packed again only if a file of it has changed."""
        state = FolderWatch(folder).look()
        known = self._packed.get(str(folder))
        if known is None or known[0] != state:
            known = self._packed[str(folder)] = (state, pack(folder))
        return known[1]


def tested_result(result: Result, not_recorded: tuple[str, ...]) -> TestedResult:
    """What a test sees of a result. The lines of the bundle's own recorder are none of the author's."""
    error = result.error
    if error is not None and isinstance(error.detail, dict) and isinstance(error.detail.get("trace"), list):
        trace = [line for line in error.detail["trace"] if not str(line).startswith(f"{PACKAGE}/")]
        error = replace(error, detail={**error.detail, "trace": trace})
    return TestedResult(
        status=result.status,
        data=msgspec.json.decode(result.data),
        error=error,
        blocker=result.blocker,
        artifacts={
            artifact.kind: str(_path(artifact))
            for artifact in result.artifacts
            if artifact.kind not in (RECORDING, NOT_RECORDED)
        },
        not_recorded=not_recorded,
    )


def _missed(artifact: ArtifactRecord | None) -> tuple[str, ...]:
    return () if artifact is None else msgspec.json.decode(_path(artifact).read_bytes(), type=tuple[str, ...])


def _path(artifact: ArtifactRecord) -> Path:
    return Path(unquote(artifact.url.removeprefix("file://")))


def _read(har: Path) -> bytes | None:
    try:
        return har.read_bytes()
    except FileNotFoundError:
        return None


def _no_run(refused: Exception) -> RunAnswer:
    return RunAnswer(refused=str(refused), mend=str(getattr(refused, "mend", "")))


def _write(answers: int, answer: RunAnswer) -> None:
    with open(answers, "wb", closefd=False) as pipe:
        pipe.write(msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    sys.exit(main())

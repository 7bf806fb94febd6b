"""What keeps secrets where they belong."""

from mutation import failures as f
from mutation.mutant import DISPATCH, SUPERVISOR, Mutant

SECRETS = f"{SUPERVISOR}/secrets"
GRANTS = "tests/secrets/test_grants.py"
STORE = "tests/secrets/test_store.py"
SERVICE = "tests/secrets/test_secret_service.py"
REQUESTS = "tests/dispatch/test_secret_requests.py"
ARTIFACTS = "tests/secrets/test_artifact_masking.py"

ROWS = (
    Mutant(
        f.SECRET_STOLEN,
        f"{SECRETS}/grants.py",
        "        if ref.name not in manifest_secrets:\n",
        "        if False:\n",
        (f"{GRANTS}::test_all_three_must_allow_it",),
    ),
    Mutant(
        f.SECRET_STOLEN,
        f"{SECRETS}/grants.py",
        "        if not _matches(grant.tenants, ref.tenant_id):\n",
        "        if False:\n",
        (f"{GRANTS}::test_all_three_must_allow_it",),
    ),
    Mutant(
        f.SECRET_STOLEN,
        f"{SECRETS}/grants.py",
        "        if not _matches(grant.modules, module):\n",
        "        if False:\n",
        (f"{GRANTS}::test_all_three_must_allow_it",),
    ),
    Mutant(
        f.SECRET_STOLEN,
        "sandbox/pageworker_sandbox/wire/message_rules.py",
        "    (SentAttemptState.RUNNING, AttemptMessage.SECRET_REQUEST): SentAttemptState.RUNNING,\n",
        "    (SentAttemptState.RUNNING, AttemptMessage.SECRET_REQUEST): SentAttemptState.RUNNING,\n"
        "    (SentAttemptState.DONE, AttemptMessage.SECRET_REQUEST): SentAttemptState.DONE,\n",
        ("tests/wire/test_message_rules.py::test_every_pair_of_an_attempt",),
    ),
    Mutant(
        f.SECRET_STOLEN,
        f"{SECRETS}/secret_file.py",
        "        if found.st_mode & forbidden_mode:\n",
        "        if False:\n",
        ("tests/secrets/test_files.py::test_a_file_for_everybody_is_not_used",),
    ),
    Mutant(
        f.SECRET_LEAKED,
        f"{DISPATCH}/secret_requests.py",
        "    return await asyncio.to_thread(mask_done, done, masker) if masker else done\n",
        "    return done\n",
        (f"{REQUESTS}::test_an_answer_of_a_job_without_secrets_is_not_touched",),
    ),
    Mutant(
        f.SECRET_LEAKED,
        f"{SECRETS}/secret_service.py",
        "(masker.add(name, text) and self.log_masker.add(str(ref), text))",
        "self.log_masker.add(str(ref), text)",
        (f"{SERVICE}::test_a_granted_secret_is_given_masked_and_recorded_without_its_value",),
    ),
    Mutant(
        f.SECRET_LEAKED,
        f"{SECRETS}/artifact_masking.py",
        "    if not is_zip(untrusted_data):\n",
        "    if True:\n",
        (f"{ARTIFACTS}::test_a_zip_file_is_masked_inside",),
    ),
    Mutant(
        f.SECRET_LEAKED,
        "runner/pageworker_runner/pages/secret_fields.py",
        '        await unrecorded(locator, "helpers.fill_secret", cover_and_fill)\n',
        "        await cover_and_fill()\n",
        ("tests/runner/pages/test_secret_fields.py::test_a_trace_does_not_have_the_value",),
    ),
    Mutant(
        f.SECRET_LEAKED,
        "runner/pageworker_runner/pages/secret_fields.py",
        "        await locator.evaluate(COVER)\n",
        "",
        ("tests/runner/pages/test_secret_fields.py::test_no_picture_shows_how_long_the_value_is_or_what_it_is",),
    ),
    Mutant(
        f.SECRET_STALE,
        f"{SECRETS}/store.py",
        "            if cached is None or self._clock() >= cached.ends_at:\n",
        "            if cached is None:\n",
        (f"{STORE}::test_an_outage_is_bridged_to_the_end_of_the_lease_and_no_longer",),
    ),
    Mutant(
        f.SECRET_STALE,
        f"{SECRETS}/store.py",
        "            self._cached[ref] = CachedSecret(secret, now,",
        "            self._cached[ref] = CachedSecret(secret, self._clock(),",
        (f"{STORE}::test_a_lease_counts_from_the_question_not_from_the_answer",),
    ),
)

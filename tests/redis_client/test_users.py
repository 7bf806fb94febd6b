"""The lines of the shipped users: hashes of passwords, the prefix, and no other user."""

import hashlib

import pytest

from pageworker_supervisor.redis_client.users import PRODUCER, READER, USERS, WORKER, user_lines

PASSWORDS = {user: f"secret-of-{user}" for user in USERS}


def test_each_user_is_on_with_the_hash_of_its_password() -> None:
    default, *lines = user_lines("pw", PASSWORDS)
    assert default.startswith("user default off resetpass")
    assert [line.split()[1] for line in lines] == [WORKER, PRODUCER, READER]
    for line in lines:
        user = line.split()[1]
        digest = hashlib.sha256(PASSWORDS[user].encode()).hexdigest()
        assert line.startswith(f"user {user} on resetpass #{digest} ")
        assert "secret" not in line


def test_every_pattern_has_the_prefix() -> None:
    text = "\n".join(user_lines("shop", PASSWORDS))
    for pattern in ("~shop:", "&shop:", "~{shop:inbox}:"):
        assert pattern in text
    assert "pw:" not in text


def test_a_user_without_a_password_is_an_error() -> None:
    with pytest.raises(KeyError, match=READER):
        user_lines("pw", {user: "x" for user in USERS if user != READER})

"""The table of capabilities, and what a process has of it."""

from pathlib import Path

import pytest

from pageworker_supervisor.host.rights import NAMES, NEEDED, Rights, names_of, rights_of

ROOT = Path(__file__).parents[2]
STATUS = "Name:\tpython\nUid:\t987\t{uid}\t987\t987\nCapPrm:\t{permitted:016x}\nCapEff:\t{effective:016x}\n"


def status(uid: int = 987, effective: int = 0, permitted: int = 0) -> str:
    return STATUS.format(uid=uid, effective=effective, permitted=permitted)


def test_each_needed_capability_has_its_number_and_says_what_it_is_for() -> None:
    for needed in NEEDED:
        assert names_of(1 << needed.number) == (needed.name,)
        assert needed.reason
        assert (ROOT / needed.proof).is_file()


def test_the_trust_model_shows_the_table() -> None:
    text = (ROOT / "docs/trust.md").read_text()
    shown = [line for line in text.splitlines() if line.startswith("| `CAP_")]
    assert shown == [f"| `{needed.name}` | {needed.reason} |" for needed in NEEDED]


def test_the_rights_of_a_process_are_read_from_its_status() -> None:
    found = rights_of(status(effective=1 << 6 | 1 << 7))
    assert found == Rights(987, ("CAP_SETGID", "CAP_SETUID"))
    assert found.can_map_users
    assert str(found) == "user 987 with CAP_SETGID, CAP_SETUID"
    assert str(rights_of(status())) == "user 987 with no capability"


def test_what_could_be_raised_counts_as_had() -> None:
    assert rights_of(status(permitted=1 << 21)).capabilities == ("CAP_SYS_ADMIN",)


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_without_one_of_them_no_user_ids_are_given(needed: object) -> None:
    held = tuple(one.name for one in NEEDED if one is not needed)
    assert not Rights(987, held).can_map_users
    assert Rights(987, held).missing == (getattr(needed, "name", ""),)


def test_root_is_told_from_its_capabilities() -> None:
    bare = rights_of(status(uid=0))
    assert bare.is_root
    assert not bare.can_map_users
    assert str(bare) == "root with no capability"


def test_a_capability_of_a_newer_kernel_has_its_number() -> None:
    assert names_of(1 << 40 | 1 << 45) == ("CAP_CHECKPOINT_RESTORE", "CAP_45")
    assert len(NAMES) == 41


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="CapEff"):
        rights_of("Uid:\t1\t1\t1\t1\n")

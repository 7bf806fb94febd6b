"""The one type of a context: its text in Redis, and the names of egress sets."""

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey, egress_digest, egress_set
from pageworker_supervisor.contract.isolation import Isolation

SHOP, BANK = egress_digest(["shop.test"]), egress_digest(["bank.test"])


def test_a_digest_names_a_set_whatever_its_order_and_case() -> None:
    assert egress_digest(["b.test", "A.test."]) == egress_digest(["a.test", "b.test", "b.test"])
    assert egress_digest(["a.test"]) != egress_digest(["a.test", "b.test"])
    assert egress_set(["B.test", "a.test."]) == ("a.test", "b.test")


def test_a_context_is_read_as_it_was_written() -> None:
    for key in (ContextKey("t", "p-1.x", SHOP), ContextKey("t", None, BANK)):
        assert ContextKey.parse("t", key.text) == key
    assert ContextKey.parse("t", f"!{SHOP}") == ContextKey("t", None, SHOP)


def test_options_are_a_value_of_the_text_and_a_text_without_them_stays_readable() -> None:
    for key in (ContextKey("t", "p-1.x", SHOP, "0123456789ab"), ContextKey("t", None, BANK, "0123456789ab")):
        assert ContextKey.parse("t", key.text) == key
    assert ContextKey("t", "p", SHOP, "0123456789ab").text == f"p~{SHOP}+o0123456789ab"
    assert ContextKey.parse("t", f"!{SHOP}+o0123456789ab") == ContextKey("t", None, SHOP, "0123456789ab")
    assert ContextKey.parse("t", f"p~{SHOP}+z1+oab") == ContextKey("t", "p", SHOP, "ab"), "written by a later version"


def test_the_flavor_is_a_value_of_the_text_and_auto_is_none() -> None:
    for flavor in ("full", "shell"):
        for key in (ContextKey("t", "p", SHOP, flavor=flavor), ContextKey("t", None, SHOP, "0123456789ab", flavor)):
            assert ContextKey.parse("t", key.text) == key
    assert ContextKey("t", None, SHOP, "0123456789ab", "shell").text == f"~{SHOP}+o0123456789ab+fshell"
    assert ContextKey("t", None, SHOP, flavor="auto").text == f"~{SHOP}"


def test_the_proxy_policy_is_a_value_of_the_text_and_no_policy_is_none() -> None:
    for key in (ContextKey("t", "p", SHOP, proxy="de-1"), ContextKey("t", None, SHOP, "0123456789ab", "shell", "de-1")):
        assert ContextKey.parse("t", key.text) == key
    assert ContextKey("t", "p", SHOP, flavor="full", proxy="de-1").text == f"p~{SHOP}+ffull+pde-1"
    assert ContextKey.parse("t", f"!{SHOP}+pde-1").proxy == "de-1"
    assert ContextKey("t", None, SHOP, proxy="").text == f"~{SHOP}"


def test_one_page_is_a_value_of_the_text() -> None:
    for key in (ContextKey("t", "p", SHOP, one_page=True), ContextKey("t", None, SHOP, proxy="1", one_page=True)):
        assert ContextKey.parse("t", key.text) == key
    assert ContextKey("t", "p", SHOP, proxy="de-1", one_page=True).text == f"p~{SHOP}+pde-1+1"
    assert not ContextKey.parse("t", f"~{SHOP}+p1").one_page


def test_isolation_is_values_of_the_text() -> None:
    for isolation, text in (
        (Isolation("cart"), f"~{SHOP}+gcart"),
        (Isolation(module="shop.product"), f"~{SHOP}+mshop.product"),
        (Isolation("cart", "shop.product"), f"~{SHOP}+gcart+mshop.product"),
        (Isolation(one_job=True), f"~{SHOP}+j"),
    ):
        key = ContextKey("t", None, SHOP, isolation=isolation)
        assert (key.text, ContextKey.parse("t", text)) == (text, key)
        assert ContextKey.parse("t", f"!{text[1:]}") == key
    whole = ContextKey("t", "p", SHOP, "0123456789ab", "shell", "de-1", True, Isolation("j", "j"))
    assert whole.text == f"p~{SHOP}+o0123456789ab+fshell+pde-1+1+gj+mj"
    assert ContextKey.parse("t", whole.text) == whole
    assert ContextKey.parse("t", f"~{SHOP}+g1+mj").isolation == Isolation("1", "j")


def test_a_runner_has_one_page_for_a_budget_and_for_one_job() -> None:
    keys = ContextKey("t"), ContextKey("t", one_page=True), ContextKey("t", isolation=Isolation(one_job=True))
    assert [key.has_one_page for key in keys] == [False, True, True]


def test_the_text_does_not_name_the_tenant() -> None:
    assert ContextKey("acme").text == f"~{NO_EGRESS}"
    assert ContextKey("acme", "p1", SHOP).text == f"p1~{SHOP}"


def test_only_a_profile_is_locked() -> None:
    assert ContextKey("acme", "p1").profile == ("acme", "p1")
    assert ContextKey("acme").profile is None

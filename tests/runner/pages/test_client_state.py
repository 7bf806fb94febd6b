"""Attributes of long-lived objects: what was changed is named and set back, and what changes with each use is left."""

from pw_doubles import any_typed

from pageworker_runner.pages.client_state import ClientState


class Owner:
    """An object with attributes of several types."""

    def __init__(self) -> None:
        self.name = "page"
        self.count = 0
        self.routes: list[int] = []
        self.bindings = {"a": 1}
        self.events = 7


def state(owner: Owner) -> ClientState:
    return ClientState({"page": owner}, {"": ["events"], "other": ["name"]})


def test_what_is_used_without_a_change_is_the_same() -> None:
    owner = Owner()
    before = state(owner)
    owner.name = "".join(["pa", "ge"])
    owner.routes = []
    owner.bindings = {"a": 1}
    owner.events = 8
    assert before.changed() == []


def test_every_kind_of_change_is_named_and_set_back() -> None:
    owner = any_typed(Owner())
    before = state(owner)
    owner.name = "left"
    owner.count = False
    owner.routes.append(1)
    owner.bindings.clear()
    owner.goto = print
    named = ["page.name", "page.count", "page.routes", "page.bindings", "page.goto"]
    assert before.changed() == named
    assert before.restore() == named
    assert vars(owner) == vars(Owner())
    assert before.changed() == []


def test_what_is_gone_is_set_back() -> None:
    owner = Owner()
    before = state(owner)
    del owner.name
    assert before.restore() == ["page.name"]
    assert owner.name == "page"


def test_a_container_that_was_set_back_does_not_change_what_it_is_compared_with() -> None:
    owner = Owner()
    before = state(owner)
    for _ in range(2):
        owner.bindings["left"] = 1
        assert before.restore() == ["page.bindings"]

from typing import Any

from pw_doubles import any_typed

from pageworker import Helpers


async def test_a_side_effect_is_begun_then_done(sink: Any) -> None:
    order = await Helpers(any_typed(None), sink).once("order")
    assert (order.key, order.state, order.value) == ("order", "begun", None)
    await order.done({"number": 17})
    assert (order.state, order.value) == ("done", {"number": 17})
    assert sink.once_calls == [("order", "begin", None), ("order", "done", {"number": 17})]


async def test_one_that_has_not_happened_is_dropped(sink: Any) -> None:
    order = await Helpers(any_typed(None), sink).once("order")
    await order.not_done()
    assert (order.state, order.value) == ("dropped", None)
    assert sink.once_calls[-1] == ("order", "drop", None)

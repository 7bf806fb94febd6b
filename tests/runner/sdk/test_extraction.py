import pytest

from pageworker.extraction import MAX_DEPTH, Each, Field, missing_fields, parsed_fields, split_field


@pytest.mark.parametrize(
    ("spec", "selector", "attribute"),
    [
        ("h1", "h1", ""),
        ("a.more@href", "a.more", "href"),
        ("@lang", "", "lang"),
        ("use@xlink:href", "use", "xlink:href"),
        ("div@data-sku_id", "div", "data-sku_id"),
        ("a[href='mailto:x@y.example']", "a[href='mailto:x@y.example']", ""),
        ("a[title='@']@href", "a[title='@']", "href"),
        ("a@", "a@", ""),
    ],
)
def test_a_field_is_a_selector_and_perhaps_an_attribute(spec: str, selector: str, attribute: str) -> None:
    assert split_field(spec) == (selector, attribute)


def test_a_list_is_parsed_with_its_fields() -> None:
    parsed = parsed_fields({"offers": Each(".offer", {"link": "a@href", "tags": Each("xpath=.//b", limit=5)})}, [])
    offers = parsed["offers"]
    assert (offers["selector"], offers["most"], offers["fields"]["link"]["attribute"]) == (".offer", 1000, "href")
    tags = offers["fields"]["tags"]
    assert (tags["selector"], tags["xpath"], tags["most"], tags["fields"]) == (".//b", True, 5, None)


def test_an_xpath_is_taken_as_it_is() -> None:
    place = {"selector": "//a/@href", "attribute": "", "xpath": True}
    assert parsed_fields({"link": "xpath=//a/@href"}, [])["link"] == place


def test_required_names_are_those_of_fields_in_lists_too() -> None:
    with pytest.raises(ValueError, match="not in `fields`: titel"):
        parsed_fields({"offers": Each(".offer", {"title": "h2"}, required=["titel"])}, [])
    deep = Each("a")
    for _ in range(MAX_DEPTH + 1):
        deep = Each("a", {"x": deep})
    with pytest.raises(ValueError, match="nested"):
        parsed_fields({"x": deep}, [])


def test_each_missing_field_is_named_with_its_place() -> None:
    offers = Each(".offer", {"price": ".price", "old": ".old"}, required=["price"])
    fields: dict[str, Field] = {"title": "h1", "offers": offers}
    found = {"title": None, "offers": [{"price": "1", "old": None}, {"price": None, "old": None}]}
    assert dict(missing_fields(found, fields, ["title", "offers"])) == {"title": "h1", "offers[1].price": ".price"}
    assert dict(missing_fields({"title": "x", "offers": []}, fields, ["offers"])) == {"offers": ".offer"}

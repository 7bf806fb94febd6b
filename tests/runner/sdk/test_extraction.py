import pytest

from pageworker.extraction import split_field


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

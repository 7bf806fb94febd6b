import pytest

from pageworker.pagination import first_number, web_url, with_parameter


@pytest.mark.parametrize(
    ("url", "changed"),
    [
        ("https://shop.example/list", "https://shop.example/list?page=3"),
        ("https://shop.example/list?q=a+b&page=2&e=#top", "https://shop.example/list?q=a+b&e=&page=3"),
    ],
)
def test_the_number_of_a_page_is_a_parameter_of_its_url(url: str, changed: str) -> None:
    assert with_parameter(url, "page", "3") == changed


@pytest.mark.parametrize(
    ("url", "number"), [("https://a.example/?page=7", 7), ("https://a.example/", 1), ("https://a.example/?page=x", 1)]
)
def test_the_first_page_may_be_any(url: str, number: int) -> None:
    assert first_number(url, "page") == number


def test_a_number_that_the_site_made_too_long_is_none() -> None:
    assert first_number(f"https://a.example/?page={'9' * 5000}", "page") == 1


@pytest.mark.parametrize(
    ("untrusted_url", "url"),
    [
        ("https://a.example/", "https://a.example/"),
        ("file:///etc/passwd", None),
        ("chrome://version", None),
        ("javascript:1//https://a.example/", None),
        ({"href": "https://a.example/"}, None),
        (None, None),
    ],
)
def test_a_page_names_web_addresses_alone(untrusted_url: object, url: str | None) -> None:
    assert web_url(untrusted_url) == url

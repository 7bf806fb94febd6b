"""The shop's products and members, and its pages as HTML."""

import json
from dataclasses import dataclass
from html import escape

MEMBERS = {"ada": "correct-horse", "grace": "battery-staple"}
"""Members and their passwords."""


@dataclass(frozen=True)
class Product:
    """A product. `price` is a decimal string in `currency`."""

    sku: str
    title: str
    price: str
    availability: str
    text: str
    currency: str = "EUR"


PRODUCTS = {
    product.sku: product
    for product in (
        Product("KTL-01", "Enamel kettle", "39.90", "InStock", "Two litres, whistles in C."),
        Product("LMP-02", "Reading lamp", "64.00", "InStock", "Warm light, heavy foot."),
        Product("CHR-03", "Folding chair", "48.50", "LimitedAvailability", "Beech, oiled."),
        Product("MUG-04", "Stoneware mug", "12.00", "InStock", "Holds 0.3 l & a spoon."),
        Product("RUG-05", "Wool rug", "219.00", "OutOfStock", "Woven by hand, 120 × 180 cm."),
        Product("CLK-06", "Kitchen clock", "85.00", "InStock", "Silent movement."),
    )
}

STYLE = """
body { font: 16px/1.5 Georgia, serif; max-width: 42rem; margin: 2rem auto; color: #222; }
header a { margin-right: 1rem; } .price { font-size: 1.4rem; } .out { color: #a00; }
.captcha { border: 1px solid #ccc; width: 304px; height: 78px; } .captcha iframe { border: 0; width: 100%; }
"""


def page(title: str, body: str, head: str = "") -> str:
    """A whole document. `title` is text; `body` and `head` are HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<link rel="stylesheet" href="/style.css">{head}</head><body>'
        '<header><a href="/">Shop</a><a href="/account">Account</a></header>'
        f"<main>{body}</main></body></html>"
    )


def front() -> str:
    """The list of products."""
    rows = (
        f'<li><a href="/products/{escape(p.sku)}">{escape(p.title)}</a> {escape(p.price)} {p.currency}</li>'
        for p in PRODUCTS.values()
    )
    return page("Shop", f"<h1>Shop</h1><ul>{''.join(rows)}</ul>")


def product_page(product: Product) -> str:
    """A product, both as visible text and as structured data (schema.org, JSON-LD)."""
    data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "sku": product.sku,
        "description": product.text,
        "offers": {
            "@type": "Offer",
            "price": product.price,
            "priceCurrency": product.currency,
            "availability": f"https://schema.org/{product.availability}",
        },
    }
    # HTML does not parse JSON: "</script>" inside a value would end the element.
    linked = json.dumps(data).replace("<", "\\u003c")
    mark = ' class="out"' if product.availability == "OutOfStock" else ""
    body = (
        f'<article data-sku="{escape(product.sku)}"><h1 class="title">{escape(product.title)}</h1>'
        f'<img src="/products/{escape(product.sku)}.svg" width="240" height="160" alt="">'
        f"<p>{escape(product.text)}</p>"
        f'<p class="price">{escape(product.price)} <span class="currency">{product.currency}</span></p>'
        f"<p{mark}>{escape(product.availability)}</p></article>"
    )
    return page(product.title, body, f'<script type="application/ld+json">{linked}</script>')


def picture(product: Product) -> str:
    """A placeholder picture of a product, as SVG."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="160">'
        '<rect width="240" height="160" fill="#eee"/>'
        f'<text x="120" y="85" text-anchor="middle">{escape(product.title)}</text></svg>'
    )


def login_page(message: str = "") -> str:
    """The login form."""
    alert = f'<p role="alert">{escape(message)}</p>' if message else ""
    return page(
        "Log in",
        f'<h1>Log in</h1>{alert}<form method="post" action="/login">'
        '<label>Name <input name="user" autocomplete="username"></label> '
        '<label>Password <input name="password" type="password" autocomplete="current-password"></label> '
        "<button>Log in</button></form>",
    )


def account_page(member: str, orders: int) -> str:
    """The account page, for a member who is logged in."""
    return page(
        "Your account",
        f'<h1>Your account</h1><p>Hello, <b id="member">{escape(member)}</b>.</p>'
        f'<p>Orders: <span id="orders">{orders}</span></p>',
    )


def guarded_page() -> str:
    """A page behind a captcha. The captcha is built like well-known ones, and harmless."""
    return page(
        "One moment",
        "<h1>Are you a person?</h1>"
        '<div class="captcha shopguard-captcha" data-sitekey="demo-0000-0000" data-callback="onPassed">'
        '<iframe src="/captcha/frame?k=demo-0000-0000" title="shopguard captcha challenge"></iframe>'
        '<input type="hidden" name="shopguard-response"></div>',
    )


def captcha_frame() -> str:
    """The document inside the captcha's frame."""
    return (
        '<!doctype html><meta charset="utf-8"><title>shopguard</title>'
        '<label><input type="checkbox"> I am not a robot</label>'
    )


def broken_page() -> str:
    """The error page of a shop that is down."""
    return page("Out of order", '<h1>503</h1><p id="incident">The shop is down for maintenance, incident INC-42.</p>')

"""What the shop sells, to whom, and the HTML it shows it in."""

import json
from dataclasses import dataclass
from html import escape

MEMBERS = {"ada": "correct-horse", "grace": "battery-staple"}
"""Customers and their passwords."""


@dataclass(frozen=True)
class Product:
    """One thing for sale. `price` is a decimal string in `currency`."""

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
        Product("LMP-02", "Desk lamp", "64.00", "InStock", "Warm light, heavy foot."),
        Product("CHR-03", "Folding chair", "48.50", "LimitedAvailability", "Beech, oiled."),
        Product("MUG-04", "Stoneware mug", "12.00", "InStock", "Holds 0.3 l & a spoon."),
        Product("RUG-05", "Wool rug", "219.00", "OutOfStock", "Woven by hand, 120 × 180 cm."),
        Product("CLK-06", "Wall clock", "85.00", "InStock", "Silent movement."),
    )
}

STYLE = """
body { font: 16px/1.5 Georgia, serif; max-width: 42rem; margin: 2rem auto; color: #222; }
header a { margin-right: 1rem; } .price { font-size: 1.4rem; } .out { color: #a00; }
.captcha { border: 1px solid #ccc; width: 304px; height: 78px; } .captcha iframe { border: 0; width: 100%; }
"""


def page(title: str, body: str, head: str = "") -> str:
    """A whole document in the shop's frame. `title` is text; `body` and `head` are HTML."""
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
    """A product with structured data (schema.org, as JSON-LD) beside what a reader sees."""
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
    # "</script>" inside a value would end the element: HTML knows no JSON.
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
    """A picture of the product, as far as it goes."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="160">'
        '<rect width="240" height="160" fill="#eee"/>'
        f'<text x="120" y="85" text-anchor="middle">{escape(product.title)}</text></svg>'
    )


def login_page(complaint: str = "") -> str:
    """The login form."""
    told = f'<p role="alert">{escape(complaint)}</p>' if complaint else ""
    return page(
        "Log in",
        f'<h1>Log in</h1>{told}<form method="post" action="/login">'
        '<label>Name <input name="user" autocomplete="username"></label> '
        '<label>Password <input name="password" type="password" autocomplete="current-password"></label> '
        "<button>Log in</button></form>",
    )


def account_page(member: str, orders: int) -> str:
    """What only a member sees."""
    return page(
        "Your account",
        f'<h1>Your account</h1><p>Hello, <b id="member">{escape(member)}</b>.</p>'
        f'<p>Orders: <span id="orders">{orders}</span></p>',
    )


def guarded_page() -> str:
    """A page behind a captcha: a stand-in built the way the well-known ones are, and harmless."""
    return page(
        "One moment",
        "<h1>Are you a person?</h1>"
        '<div class="captcha shopguard-captcha" data-sitekey="demo-0000-0000" data-callback="onPassed">'
        '<iframe src="/captcha/frame?k=demo-0000-0000" title="shopguard captcha challenge"></iframe>'
        '<input type="hidden" name="shopguard-response"></div>',
    )


def captcha_frame() -> str:
    """Inside of the captcha's frame."""
    return (
        '<!doctype html><meta charset="utf-8"><title>shopguard</title>'
        '<label><input type="checkbox"> I am not a robot</label>'
    )


def broken_page() -> str:
    """What is shown while the shop is down."""
    return page("Out of order", '<h1>503</h1><p id="incident">The cellar is under water. Ask for INC-42.</p>')

"""Makes text that UTF-8 can encode, as browsers do."""


def well_formed(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair. A page that cuts an emoji in two makes such halves.

    Source: String.prototype.toWellFormed of ECMAScript.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text

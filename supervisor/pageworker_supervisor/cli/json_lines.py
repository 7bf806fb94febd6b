"""Maps the values of a JSON text to line numbers, which no decoder exposes. Pure."""

import json
import re

Step = str | int
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def lines_of(text: str) -> dict[tuple[Step, ...], int]:
    """The line, from 1, on which each value begins; of an object's value, the line of its key. `()` is the whole text.

    `text` must be valid JSON.
    """
    found: dict[tuple[Step, ...], int] = {}
    path: list[Step] = []
    in_object: list[bool] = []
    key_is_next = False
    line, counted = 1, 0
    for match in _TOKEN.finditer(text):
        line, counted = line + text.count("\n", counted, match.start()), match.start()
        symbol = match[0]
        if symbol in ("}", "]"):
            in_object.pop()
            path.pop()
            key_is_next = False
        elif symbol == ",":
            key_is_next = in_object[-1]
            if not in_object[-1]:
                path[-1] = int(path[-1]) + 1
        elif symbol == ":":
            key_is_next = False
        elif key_is_next:
            path[-1] = json.loads(symbol)
            found[tuple(path)] = line
        else:
            found.setdefault(tuple(path), line)
            if symbol in ("{", "["):
                key_is_next = symbol == "{"
                in_object.append(key_is_next)
                path.append("" if key_is_next else 0)
    return found

"""What every page must be: whole, and without need of anything from elsewhere."""

import re
from html.parser import HTMLParser

VOID = frozenset({"meta", "rect", "line", "circle"})


class Elements(HTMLParser):
    """Reads a page, and holds it to closing what it opens."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = set()
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def assert_stands_alone(written, language):
    """Hold a page to what it must be; give the elements that it has."""
    elements = Elements()
    elements.feed(written)
    assert elements.open == []
    assert not {"script", "link", "img", "iframe"} & elements.seen
    assert not {"src", "href"} & set(elements.attributes)
    assert not re.search(r"https?:|url\(|@import", written)
    assert f'lang="{language}"' in written
    return elements.seen

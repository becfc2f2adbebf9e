"""A fit in a notebook."""

from html.parser import HTMLParser

from tests.io.hand import hand_made_fit
from tests.post.makers import crossed_fit, table

HOSTILE = "<img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    parser = Tags()
    parser.feed(html)
    return parser.tags, "".join(parser.text)


def test_a_fit_says_what_it_is_and_its_verdict():
    fit = crossed_fit()
    tags, text = read(fit._repr_html_())
    assert set(tags) <= {"div", "table", "tr", "th", "td", "ul", "li", "strong"}
    for part in (fit.spec.formula, "bernoulli, logit link", "120 rows; g: 20 levels; h: 4 levels", fit.quality.verdict):
        assert part in text


def test_checks_that_are_not_ok_are_listed():
    fit = hand_made_fit("zero_one ~ x + (1 | g)", table(), size=(4, 10))
    tags, text = read(fit._repr_html_())
    assert tags.count("li") == len(fit.quality.failed) > 0
    assert fit.quality.failed[0].id in text


def test_names_are_text():
    fit = hand_made_fit(f"zero_one ~ `{HOSTILE}` + (1 | g)", table().rename(columns={"x": HOSTILE}))
    tags, text = read(fit._repr_html_())
    assert not {"script", "img"} & set(tags)
    assert HOSTILE in text

"""The page as text: escaped, self-contained, locked by its policy, readable without its script."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
import xarray as xr

from bayesglmm.fit.quality import Check
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.result import Result
from bayesglmm.reporting.document import entry_document
from bayesglmm.reporting.records import Entry, Formulas, Grid, Image, Numbers, Pairs, Section, Words, not_run
from bayesglmm.reporting.render import Page, render
from bayesglmm.reporting.text import REPLACEMENT, harmless
from bayesglmm.reporting.verdict import summarise

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"
STEERING = "a\x1b[31m\x00\u202eb\ud800"


class Elements(HTMLParser):
    """Start tags with their attributes, and all text outside style and script."""

    def __init__(self):
        super().__init__()
        self.tags, self.text, self.raw, self._in = [], [], {}, None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = tag if tag in ("style", "script") else None

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in:
            self.raw[self._in] = data
        else:
            self.text.append(data)


def read(html):
    parser = Elements()
    parser.feed(html)
    return parser


def result(text=HOSTILE, rows=3):
    table = pd.DataFrame({text: [text] * rows, "mean": 1.234567, "sd": 0.1, "ci_lower": 1.0, "ci_upper": float("nan")})
    return Result(text, text, table, xr.Dataset(), (text,), make_interval(0.95, "eti"))


def page(text=HOSTILE, sections=None):
    entry = Entry(Check(text, 1.5, text, "attention", text, text, text), text)
    blocks = (
        Words((text,)),
        Pairs(text, ((text, text),)),
        Grid(text, (text, "n"), ((text, 1.0), (text, None))),
        Formulas(("<math><mi>x</mi></math>",), (text,)),
        Numbers(result(text.replace("\ud800", ""))),  # no table holds half a character
        Image(b"\x89PNG", text, text),
    )
    parts = (Section("data", text, text, (entry, not_run(text, text, text)), blocks),) if sections is None else sections
    return render(Page(text, text, text, text, summarise(parts), parts))


def test_text_is_text_everywhere():
    plain, hostile = read(page("plain")), read(page())
    assert [t for t, _ in hostile.tags] == [t for t, _ in plain.tags]
    assert [t for t, _ in hostile.tags].count("img") == 1
    assert all("onerror" not in attributes for _, attributes in hostile.tags)
    assert "".join(hostile.text).count(HOSTILE) >= 20


def test_text_cannot_steer_the_reader():
    html = page(STEERING)
    assert not set("\x1b\x00\u202e") & set(html)
    assert f"a{REPLACEMENT}[31m{REPLACEMENT}{REPLACEMENT}b{REPLACEMENT}" in html
    assert html.encode()
    assert harmless("tab\tline\nümlaut 中 🙂") == "tab\tline\nümlaut 中 🙂"


def test_the_policy_allows_this_style_and_this_script_alone():
    html = read(page())
    (policy,) = (a["content"] for t, a in html.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(html.raw[tag].encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in policy


def test_nothing_is_loaded_and_no_attribute_holds_style_or_script():
    html = read(page())
    for tag, attributes in html.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcset")]
        assert attributes.get("src", "data:").startswith("data:image/png;base64,") or "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import|https?:", html.raw["style"] + html.raw["script"])


def test_links_lead_somewhere():
    html = read(page())
    anchors = [a["id"] for _, a in html.tags if "id" in a]
    assert len(set(anchors)) == len(anchors)
    targets = {a["href"].removeprefix("#") for t, a in html.tags if t == "a"}
    assert targets
    assert targets <= set(anchors)


def test_checks_that_fail_are_open_and_others_are_folded():
    entries = (
        Entry(Check("a.a", 1.0, "rule", "ok", "found", "means", "")),
        Entry(Check("a.b", 1.0, "rule", "attention", "found", "means", "Do.")),
        not_run("a.c", "rule", "why", required=False),
    )
    html = read(page("x", (Section("a", "A", "intro", entries),)))
    assert [("open" in a) for t, a in html.tags if t == "details"] == [False, True, False]


@pytest.mark.parametrize("verdict", ["ok", "attention", "do not use"])
def test_a_verdict_is_a_word_and_a_sign(verdict):
    html = page("x", (Section("a", "A", "i", (Entry(Check("a.a", 1.0, "r", verdict, "f", "m", "d")),)),))
    assert html.count(f"</span>{verdict}</span>") == 3  # box, contents, row


def test_a_section_of_which_nothing_was_run_is_not_shown_as_passed():
    part = Section("loo", "LOO", "i", (not_run("loo.a", "rule", "why", required=False),))
    html = page("x", (part,))
    assert part.verdict == "ok"
    assert html.count("</span>ok</span>") == 1  # the box alone
    assert html.count("</span>not run</span>") == 2
    assert "(not counted)" in html


def test_long_tables_are_cut_and_say_so():
    shown = Numbers(result("x", rows=50), limit=10)
    html = page("x", (Section("a", "A", "i", (), (shown,)),))
    assert html.count("<tr>") == 11
    assert "10 of 50 rows" in html


def test_numbers_are_rounded_as_results_round_them():
    html = page("x")
    assert "2.5 %" in html
    assert '<td class="number">-</td>' in html
    assert "nan" not in html


def test_shares_are_percentages_where_their_threshold_is_one_and_numbers_in_the_twin():
    share = Check("a.a", 0.0123, "<= 1%", "attention", "found", "means", "Do.", percent=True)
    part = Section("a", "A", "i", (Entry(share), Entry(replace(share, percent=False)), Entry(replace(share, value=None))))
    cells = re.findall(r'<td class="number">([^<]*)</td>', page("x", (part,)))
    assert cells == ["1.23%", "0.0123", "-"]
    assert entry_document(part.entries[0])["value"] == 0.0123

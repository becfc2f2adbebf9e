"""The page in a browser: no name of a user's becomes an element, with and without its script."""

import re
import shutil
import subprocess

import pytest

from tests.reporting.conftest import LEVEL
from tests.reporting.test_render import read

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def browse(tmp_path_factory):
    """The document as the browser built it after the page's script ran."""

    def dump(path):
        profile = tmp_path_factory.mktemp("profile")
        command = (CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom", path.as_uri())
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    return dump


def test_no_name_becomes_an_element(hostile, browse):
    _, made = hostile
    dom = browse(made.html)
    tags = read(dom).tags
    assert not [a for t, a in tags if t == "img" and "onerror" in a]
    assert not [t for t, a in tags if any(name.startswith("on") for name in a)]
    assert sum(t == "script" for t, _ in tags) == 1
    assert LEVEL in "".join(read(dom).text)


def test_the_page_s_own_script_runs_under_its_policy(hostile, browse):
    _, made = hostile
    dom = browse(made.html)
    assert re.search(r'<html[^>]* class="js"', dom)
    assert 'tabindex="0"' in dom


def test_another_script_runs_only_without_the_policy(hostile, browse, tmp_path):
    """A script that got into the page all the same is stopped by the policy; without the policy it would run."""
    _, made = hostile
    injected = "<script>document.title = 'hacked'</script><img src=x onerror=\"document.title = 'hacked'\">"
    page = made.html.read_text(encoding="utf-8").replace("<main>", f"<main>{injected}")
    spoiled, open_page = tmp_path / "spoiled.html", tmp_path / "open.html"
    spoiled.write_text(page, encoding="utf-8")
    open_page.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page), encoding="utf-8")
    assert "<title>hacked" not in browse(spoiled)
    assert "<title>hacked" in browse(open_page)

"""Letters that the usual font lacks: from another font where one is installed, else one warning in words."""

import warnings

import pytest
from matplotlib.text import Text

from bayesglmm.plots import fonts
from bayesglmm.plots.gallery import write_picture
from bayesglmm.plots.style import new_figure, png_bytes

CARIAN = "\U000102a0"
"""A letter that no font which comes with matplotlib has."""
BARRED = "\u1d81"
"""A letter of STIXGeneral, which comes with matplotlib, that DejaVu Sans lacks."""


def titled(text):
    figure, axes = new_figure()
    axes.set_title(text)
    axes.set_xlabel(text)
    axes.set_xticks([0, 1], [text, "plain"])
    return figure


@pytest.mark.parametrize("write", [lambda f, _: png_bytes(f), lambda f, _: f._repr_png_(), lambda f, path: write_picture(f, path)])
def test_missing_letters_are_told_once_in_words(monkeypatch, tmp_path, write):
    monkeypatch.setattr(fonts, "FALLBACKS", ())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write(titled(CARIAN), tmp_path / "a.png")
    (only,) = [str(w.message) for w in caught]
    assert only.startswith("Some letters of the picture are drawn as boxes")


def test_an_installed_font_takes_over(monkeypatch):
    monkeypatch.setattr(fonts, "FALLBACKS", ("no such font", "STIXGeneral"))
    figure = titled(BARRED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png_bytes(figure)
    asked = {tuple(t.get_fontfamily()) for t in figure.findobj(Text) if t.get_text() == BARRED}
    assert [family[-1] for family in asked] == ["STIXGeneral"]


def test_other_warnings_go_on():
    with pytest.warns(UserWarning, match="of another kind"), fonts.letters_checked():
        warnings.warn("of another kind", UserWarning, stacklevel=1)

"""The left-hand side: a column or expression, with trials, failures, known standard errors or weights."""

from collections.abc import Sequence

from bayesglmm.spec.allowed import Rules
from bayesglmm.spec.gate import check_slice, names_in
from bayesglmm.spec.terms import Response
from bayesglmm.spec.tokenizer import Token, closing, fault, split_top
from bayesglmm.spec.vocabulary import ADDITIONS, OUT_OF_SCOPE, nearest

_PLAIN = Rules(plain=True)
_FORMS = "supported: y, log(y), k | trials(n), prop(k, n), cbind(k, n - k), y | se(s), y | weights(w), joined by '+' after the bar"


def parse_response(source: str, tokens: Sequence[Token]) -> Response | None:
    """Read the left-hand side.

    Parameters
    ----------
    source
        The whole formula, for carets.
    tokens
        What stands before ``~``; may be empty.

    Returns
    -------
    Response or None
        None for a one-sided formula.

    Raises
    ------
    FormulaError
        Anything outside the grammar, with the closest supported form.
    """
    if not tokens:
        return None
    pieces = split_top(tokens, "|", "||")
    if len(pieces) > 2:
        raise fault(
            source,
            pieces[2][0].start if pieces[2] else tokens[-1].start,
            "a response has one bar",
            "several additions are joined by '+': y | se(s) + weights(w)",
        )
    expression, trials, failures = _base(source, pieces[0])
    extras = _additions(source, pieces[1], tokens) if len(pieces) == 2 else {}
    if "trials" in extras and (trials or failures):
        raise fault(source, tokens[0].start, "the number of trials is given twice", "keep k | trials(n), or prop(k, n), or cbind(k, n - k)")
    return Response(expression, extras.get("trials", trials), failures, extras.get("se"), extras.get("weights"))


def _base(source: str, tokens: Sequence[Token]) -> tuple[str, str | None, str | None]:
    """Read what is modelled, with trials of ``prop`` and failures of ``cbind``."""
    if not tokens:
        raise fault(source, 0, "no response stands before the bar", _FORMS)
    name = tokens[0].text if tokens[0].kind == "name" and len(tokens) > 1 and tokens[1].is_op("(") else ""
    if name in OUT_OF_SCOPE:
        reason, closest = OUT_OF_SCOPE[name]
        raise fault(source, tokens[0].start, f"{name}(): {reason}", f"the closest supported form is {closest}")
    if name in ADDITIONS:
        raise fault(source, tokens[0].start, f"{name}() stands after a bar", f"for example y | {name}(n)")
    if name not in ("prop", "cbind") or closing(tokens, 1) != len(tokens) - 1:
        return _expression(source, tokens), None, None
    arguments = split_top(tokens[2:-1], ",")
    if len(arguments) != 2 or not all(arguments):
        raise fault(source, tokens[0].start, f"{name}() takes two arguments", "prop(successes, trials) or cbind(successes, failures)")
    first, second = _expression(source, arguments[0]), check_slice(source, arguments[1], _PLAIN)
    return (first, second, None) if name == "prop" else (first, None, second)


def _expression(source: str, tokens: Sequence[Token]) -> str:
    """Canonical text of what is modelled; it reads at least one column."""
    text = check_slice(source, tokens, _PLAIN)
    if not names_in(text):
        raise fault(source, tokens[0].start, "the response reads no column", _FORMS)
    return text


def _additions(source: str, tokens: Sequence[Token], whole: Sequence[Token]) -> dict[str, str]:
    """Read what stands after the bar: ``trials``, ``se`` and ``weights``, each at most once."""
    found: dict[str, str] = {}
    for piece in split_top(tokens, "+"):
        position = piece[0].start if piece else whole[-1].start
        if len(piece) < 3 or piece[0].kind != "name" or not piece[1].is_op("(") or closing(piece, 1) != len(piece) - 1:
            raise fault(source, position, "after the bar of a response stand trials(n), se(s) or weights(w)", _FORMS)
        name = piece[0].text
        if name in found:
            raise fault(source, position, f"{name}() stands twice", _FORMS)
        if name not in ADDITIONS:
            reason, closest = OUT_OF_SCOPE.get(name, (f"{name}() is not known", f"{nearest(name, ADDITIONS)}{_FORMS}"))
            raise fault(source, position, f"{name}(): {reason}" if name in OUT_OF_SCOPE else reason, closest)
        if len(split_top(piece[2:-1], ",")) > 1:
            raise fault(source, position, f"{name}() takes one argument", _FORMS)
        found[name] = check_slice(source, piece[2:-1], _PLAIN)
    return found

"""A new formula from an old one, as R's ``update`` writes it: ``.`` stands for what was there."""

from collections.abc import Collection, Sequence

from bayesglmm.errors import FormulaError
from bayesglmm.spec.bars import has_bar
from bayesglmm.spec.formula import ParsedFormula, parse_formula
from bayesglmm.spec.terms import GroupTerm, Term
from bayesglmm.spec.tokenizer import Token, split_top, tokenize
from bayesglmm.spec.wilkinson import term_key

type Piece = tuple[bool, tuple[Token, ...]]

OFFSET = "offset"


def update_formula(old: ParsedFormula, text: str, *, functions: Collection[str] = frozenset()) -> str:
    """Write a new formula with the sides of an old one in place of ``.``.

    Parameters
    ----------
    old
        The formula that is updated, with a response.
    text
        ``. ~ . + z``, ``. ~ . - x``, ``. ~ . + (1 | h)``, ``. ~ . - (1 | g)``, ``log(y) ~ .``, ``~ . - 1``; without a ``.`` on the right
        the right-hand side is new, and with nothing on the left the response stays.
    functions
        Names of the user's own functions.

    Returns
    -------
    str
        A formula in full, to be parsed like any other.

    Raises
    ------
    FormulaError
        Outside the grammar, with ``.`` inside an expression, or with a term, a group term or an offset taken away that is not there.
    """
    tokens = tokenize(text)
    sides = split_top(tokens[:-1], "~")
    if len(sides) != 2 or not sides[1]:
        what = "a formula has one '~' between response and terms" if len(sides) != 2 else "nothing stands after '~'"
        raise FormulaError(what, where=text, fix="for example '. ~ . + x', '.' being what was there")
    left, right = sides
    pieces = _pieces(right)
    removed = [text[p[0].start : p[-1].stop] for positive, p in pieces if not positive and _only_added(p)]
    kept = _without(old, [parse_formula(f"~ {r}", functions=functions) for r in removed])
    rest = [(positive, p) for positive, p in pieces if positive or not _only_added(p)]
    written = [(positive, _replaced(text, piece, kept)) for positive, piece in rest]
    _check_removed(old, written, functions)
    parts = [f"{'+' if positive else '-'} {piece}" for positive, piece in written] or ["+ 1"]
    return f"{_response(old, text, left)} ~ {' '.join(parts).removeprefix('+ ')}"


def _response(old: ParsedFormula, text: str, left: Sequence[Token]) -> str:
    """Left-hand side: the old one for ``.`` or nothing, else what is written."""
    before = old.response.text if old.response is not None else ""
    if not left or (len(left) == 1 and left[0].is_op(".")):
        return before
    if any(_stands_alone(left, i) for i in range(len(left))):
        written = text[left[0].start : left[-1].stop]
        raise FormulaError("'.' stands alone on the left, for the response as it was", where=written, fix="write the response in full")
    return text[left[0].start : left[-1].stop]


def _pieces(right: Sequence[Token]) -> list[Piece]:
    """Top-level summands with their signs."""
    found: list[Piece] = []
    positive, current, depth = True, list[Token](), 0
    for token in right:
        if depth == 0 and token.is_op("+", "-"):
            if current:
                found.append((positive, tuple(current)))
                positive, current = True, []
            positive = positive is token.is_op("+")
            continue
        depth += token.is_op("(", "[") - token.is_op(")", "]")
        current.append(token)
    return [*found, (positive, tuple(current))] if current else found


def _without(old: ParsedFormula, removed: Sequence[ParsedFormula]) -> str:
    """Right-hand side of the old formula less the group terms and offsets that are taken away."""
    groups, offsets = list(old.groups), list(old.offsets)
    for gone in removed:
        for group in gone.groups:
            groups.remove(_present(group, groups))
        for offset in gone.offsets:
            if offset not in offsets:
                raise FormulaError("an offset that is not in the model cannot be taken away", where=f"{OFFSET}({offset})")
            offsets.remove(offset)
    return " + ".join([old.fixed.text, *(g.text for g in groups), *(f"{OFFSET}({o})" for o in offsets)])


def _check_removed(old: ParsedFormula, written: Sequence[tuple[bool, str]], functions: Collection[str]) -> None:
    """Refuse to take away a term that is neither in the model nor among what is added to it."""
    gone = [term for positive, piece in written if not positive for term in _terms(piece, functions)]
    if not gone:
        return
    added = [term for positive, piece in written if positive for term in _terms(piece, functions)]
    known = {term_key(term) for term in (*old.fixed.terms, *added)}
    lost = next((term for term in gone if term_key(term) not in known), None)
    if lost is not None:
        listed = ", ".join(term.name for term in old.fixed.terms) or "none, but for the constant"
        raise FormulaError("a term that is not in the model cannot be taken away", where=lost.name, fix=f"terms of the model: {listed}")


def _terms(piece: str, functions: Collection[str]) -> tuple[Term, ...]:
    """Terms of the fixed effects that a piece stands for."""
    return parse_formula(f"~ {piece}", functions=functions).fixed.terms


def _present(group: GroupTerm, groups: Sequence[GroupTerm]) -> GroupTerm:
    """Return the term of the model that is meant."""
    for known in groups:
        if known == group:
            return known
    listed = ", ".join(g.text for g in groups) or "none"
    raise FormulaError(
        "a group term that is not in the model cannot be taken away", where=group.text, fix=f"group terms of the model: {listed}"
    )


def _only_added(piece: Sequence[Token]) -> bool:
    """Whether this is a group term, tagged or not, or an offset: what a formula itself can only add."""
    called = piece[0].kind == "name" and len(piece) > 1 and piece[1].is_op("(")
    inside = piece[2:-1] if called else piece[1:-1]
    bracket = called or piece[0].is_op("(")
    return bracket and piece[-1].is_op(")") and ((called and piece[0].text == OFFSET) or has_bar(inside))


def _replaced(text: str, piece: Sequence[Token], old: str) -> str:
    """Write a piece with the old right-hand side in place of each ``.``."""
    parts, at = [], piece[0].start
    for i, token in enumerate(piece):
        if _stands_alone(piece, i):
            parts += [text[at : token.start], f"({old})"]
            at = token.stop
    return "".join([*parts, text[at : piece[-1].stop]])


def _stands_alone(tokens: Sequence[Token], i: int) -> bool:
    """Whether a token is a ``.`` that is no part of a name."""
    token = tokens[i]
    joined = (i > 0 and tokens[i - 1].stop == token.start and tokens[i - 1].kind in ("name", "quoted")) or (
        i + 1 < len(tokens) and tokens[i + 1].start == token.stop and tokens[i + 1].kind in ("name", "quoted", "number")
    )
    return token.is_op(".") and not joined

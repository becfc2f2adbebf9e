"""Names and dims of every posterior variable: made and parsed here and nowhere else.

Names follow Bambi, so that code written for its fits keeps working: ``Intercept``, ``x``, ``x:z``, ``sigma``; group
effects ``1|g`` and ``x|g``; their standard deviations ``1|g_sigma``; in addition the correlation matrix ``g_corr``.
Nesting is ``g:h``, never ``g/h``: a slash is illegal in a variable name of a DataTree.
"""

from bayesglmm.errors import FormulaError

INTERCEPT = "Intercept"
CENTERED_INTERCEPT = "Intercept_centered"
ROWS = "__obs__"
SAMPLE_DIMS = ("chain", "draw")
SIGMA = "sigma"

_SIGMA = "_sigma"
_OFFSET = "_offset"
_CORR = "_corr"
_CHOL = "_chol"


def variable(term: str) -> str:
    """Posterior variable of a fixed term; refuses the slash that DataTree cannot hold."""
    if "/" in term:
        raise FormulaError(
            "a term name holds '/', which no posterior variable can",
            where=term,
            fix="rename the column or put the ratio in a column of its own",
        )
    return term


def level_dim(name: str) -> str:
    """Dim of the columns of a categorical fixed term: ``drug_dim``."""
    return f"{name}_dim"


def effect(effect_name: str, factor: str) -> str:
    """Random effects of one effect term: ``1|g``, ``x|g``."""
    return variable(f"{effect_name}|{factor}")


def effect_sd(effect_name: str, factor: str) -> str:
    """Return standard deviation of a random effect: ``1|g_sigma``."""
    return effect(effect_name, factor) + _SIGMA


def effect_level_dim(effect_name: str) -> str:
    """Dim of the columns of a categorical effect within its group term: ``urban__expr_dim``."""
    return f"{effect_name}__expr_dim"


def factor_dim(factor: str) -> str:
    """Dim of the levels of a grouping factor: ``g__factor_dim``."""
    return f"{factor}__factor_dim"


def block(factor: str, position: int) -> str:
    """Name of a factor's covariance block: ``g`` for its first group term, ``g.2`` for the second, and so on.

    ``position`` counts the group terms of this factor from zero.
    """
    return factor if position == 0 else f"{factor}.{position + 1}"


def correlation(block_name: str) -> str:
    """Correlation matrix of a covariance block: ``g_corr``."""
    return block_name + _CORR


def correlation_factor(block_name: str) -> str:
    """Cholesky factor of the correlation matrix, as the PyMC form samples it: ``g_chol``."""
    return block_name + _CHOL


def correlation_dims(block_name: str) -> tuple[str, str]:
    """Dims of a correlation matrix: ``g__effect_dim`` and ``g__effect_dim_2``."""
    return f"{block_name}__effect_dim", f"{block_name}__effect_dim_2"


def offsets(block_name: str) -> str:
    """Standard-normal offsets of the non-centred form: ``g_offset``."""
    return block_name + _OFFSET

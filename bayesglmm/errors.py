"""One exception per kind of mistake; each says what is wrong, where, and what to do."""


class BayesglmmError(ValueError):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what
        What is wrong, in one clause without a full stop.
    where
        The column, level, term, file or row it concerns.
    fix
        What the user can do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        parts = [what.rstrip(".") + "."]
        if where:
            parts.append(f"Where: {_ended(where)}")
        if fix:
            parts.append(f"What to do: {_ended(fix)}")
        super().__init__(" ".join(parts))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the three parts, so that worker processes can raise these errors."""
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _ended(text: str) -> str:
    """Text with one full stop at its end; the dots of a list that was cut stay."""
    return text if text.endswith("...") else f"{text.rstrip('.')}."


def _rebuild(kind: type[BayesglmmError], what: str, where: str | None, fix: str | None) -> BayesglmmError:
    return kind(what, where=where, fix=fix)


class ArgumentError(BayesglmmError):
    """An argument of a public function has a value that is not allowed."""


class FormulaError(BayesglmmError):
    """The formula is outside the grammar, or holds something that may not be evaluated."""


class NotBuiltError(BayesglmmError):
    """The grammar knows it, this version does not compute it; never silently dropped."""


class ColumnError(BayesglmmError):
    """A column is missing from the table or has the wrong kind of values."""


class MissingValueError(BayesglmmError):
    """Missing or infinite values where the model needs numbers."""


class ResponseError(BayesglmmError):
    """The response lies outside the family's support."""


class DesignError(BayesglmmError):
    """The design cannot be fitted: empty, constant, collinear, or one level in a grouping factor."""


class LevelError(BayesglmmError):
    """New rows hold a level, or a value, that the fit has never seen."""


class PriorError(BayesglmmError):
    """A prior has impossible numbers or is addressed to something that is not in the model."""


class FamilyError(BayesglmmError):
    """A family or link is unknown, or the two do not go together."""


class SpecError(BayesglmmError):
    """A model file does not follow the schema."""


class DatasetError(BayesglmmError):
    """A data set is unknown, cannot be fetched, or is not the one that was published."""


class FitFileError(BayesglmmError):
    """A fit file is missing, damaged, foreign, or does not prove itself."""


class SamplingError(BayesglmmError):
    """The sampler could not start or gave nothing back."""


class DesignWarning(UserWarning):
    """The design can be fitted, but probably does not say what its author means."""


class QualityWarning(UserWarning):
    """The draws should be looked at before they are used."""

"""``bayesglmm``: the list of commands, and what an error becomes. Only click and the standard library are imported before a command runs.

Exit codes: 0 done, 2 bad input, 3 sampled but not to be used, 1 anything else.
"""

import importlib
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from bayesglmm.cli.terminal import clean, show
from bayesglmm.errors import BayesglmmError, DesignWarning, QualityWarning

BAD_INPUT = 2
FAILED = 1

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("bayesglmm.cli.demo", "Fit a model to bundled data and show what it says."),
    "fit": ("bayesglmm.cli.fit", "Fit a model file, or a formula to a table."),
    "summary": ("bayesglmm.cli.summary", "Fixed effects, SDs and correlations, with MCSE, ESS and R-hat."),
    "random-effects": ("bayesglmm.cli.random_effects", "Random effects per group: interval, rank, shrinkage."),
    "means": ("bayesglmm.cli.means", "Means or probabilities for one of the four targets."),
    "marginal": ("bayesglmm.cli.marginal", "Marginal coefficients beside the subject-specific ones."),
    "heterogeneity": ("bayesglmm.cli.heterogeneity", "How far subjects lie apart, on link and response scale."),
    "partition": ("bayesglmm.cli.partition", "Shares of variance between groups (VPC, ICC), marginal and conditional R2."),
    "predict": ("bayesglmm.cli.predict", "Means or new observations of new rows, for old groups and new ones."),
    "check": ("bayesglmm.cli.check", "Would the model produce such data? Posterior predictive checks."),
    "plot": ("bayesglmm.cli.plot", "Draw a picture of a fit."),
    "report": ("bayesglmm.cli.report", "Write one page with every check, number and picture, and its verdict."),
    "models": ("bayesglmm.cli.models", "List the bundled models, or show one."),
    "datasets": ("bayesglmm.cli.datasets", "List the data sets, or show the card of one."),
    "families": ("bayesglmm.cli.families", "List the response families and their links."),
    "schema": ("bayesglmm.cli.schema", "Print the JSON Schema of what --json prints."),
    "completion": ("bayesglmm.cli.completion", "Print the script that completes names in your shell."),
}
"""Every command: the module that holds it as ``command``, and its line in the help."""


class BadInput(click.ClickException):
    """A mistake of the user's: a message on stderr without control characters."""

    exit_code = BAD_INPUT


class Failure(click.ClickException):
    """Anything else: the same."""

    exit_code = FAILED


class LazyGroup(click.Group):
    """A group that imports a command when it is invoked, and turns errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; none is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _errors(debug=bool(ctx.params.get("debug"))), _warnings():
            return super().invoke(ctx)


@contextmanager
def _errors(*, debug: bool) -> Iterator[None]:
    """Our errors are bad input, any other is a failure; both are one message, with the traceback on request."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            show(traceback.format_exc(), err=True)
        if isinstance(error, BayesglmmError):
            raise BadInput(clean(str(error))) from error
        hint = "" if debug else " (bayesglmm --debug COMMAND ... shows where)"
        raise Failure(clean(f"{type(error).__name__}: {error}{hint}")) from error


@contextmanager
def _warnings() -> Iterator[None]:
    """Warnings about a design as text on stderr; those about draws say what the verdict says, which every command prints."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def ours(message: Any, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None) -> None:
            if issubclass(category, DesignWarning):
                show(f"Warning: {message}", err=True)
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = ours
        warnings.simplefilter("always", DesignWarning)
        warnings.simplefilter("ignore", QualityWarning)
        yield


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bayesglmm")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Bayesian generalized linear mixed models: from a formula to a posterior, and what it means for one subject and for the population.

    Exit codes: 0 done, 2 bad input, 3 sampled but not to be used, 1 anything else.
    """

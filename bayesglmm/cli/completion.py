"""``bayesglmm completion bash``."""

import click
from click.shell_completion import get_completion_class

from bayesglmm.cli.options import as_json
from bayesglmm.cli.terminal import show, show_json
from bayesglmm.errors import ArgumentError

PROGRAM = "bayesglmm"
VARIABLE = "_BAYESGLMM_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@as_json
@click.pass_context
def command(ctx: click.Context, /, shell: str, as_json: bool) -> None:
    """Print the script that completes commands, options and names in your shell.

    \b
    bayesglmm completion bash >> ~/.bashrc
    bayesglmm completion zsh >> ~/.zshrc
    bayesglmm completion fish > ~/.config/fish/completions/bayesglmm.fish
    """  # noqa: D301 (click reads the escape)
    kind = get_completion_class(shell)
    if kind is None:
        raise ArgumentError(f"there is no completion for {shell}", fix=f"one of {', '.join(SHELLS)}")
    complete = kind(ctx.find_root().command, {}, PROGRAM, VARIABLE)
    script = complete.source_template % complete.source_vars()
    if as_json:
        show_json({"command": "completion", "shell": shell, "script": script})
    else:
        show(script)

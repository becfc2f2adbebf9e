"""Texts that would run code, read files or exhaust the machine if anything evaluated them, and a watch that notices."""

import sys
from contextlib import contextmanager

CANARY = "canary_of_the_formula_gate"

EXPRESSIONS = [
    # what ran in libraries that evaluate formulas
    f"os.system('touch {CANARY}')",
    f"pd.io.common.os.system('touch {CANARY}')",
    f"pd.to_pickle(x, '{CANARY}')",
    f"__import__('os').system('touch {CANARY}')",
    f"open('{CANARY}', 'w')",
    f"I([__import__('os').system('touch {CANARY}')]*3)",
    f"I([__import__('os').system('touch {CANARY}') for i in x])",
    f"np.load('{CANARY}', allow_pickle=True)",
    f"{{__import__('os').system('touch {CANARY}')}}",
    # attributes and subscripts
    "x.values",
    "I(x.values)",
    "log(x).__class__",
    "I(x[0])",
    "x['a']",
    "I(log.__globals__)",
    "I(x.__class__.__mro__[1].__subclasses__())",
    "().__class__",
    "I((1).__class__)",
    "I(1.real)",
    "I('a'.join(x))",
    # names
    "__builtins__",
    "I(__name__)",
    "_private",
    "I(_x)",
    "eval(x)",
    "exec('1')",
    "compile('1', 'f', 'exec')",
    "getattr(x, 'values')",
    "globals()",
    "vars()",
    "print(x)",
    "Q('x')",
    "np(x)",
    # syntax
    "I(lambda: x)",
    "(lambda: x)()",
    "I([i for i in x])",
    "I({i for i in x})",
    "I({1: 2})",
    "I((i for i in x))",
    "I(y := x)",
    "(y := 1)",
    "f'{x}'",
    'f"{__import__(1)}"',
    "I(f'{x}')",
    "rb'x'",
    "log(*x)",
    "log(**x)",
    "poly(x, **{})",
    "poly(x, degree=2, degree=3)",
    "poly(x, _state=1)",
    "poly(x, degree=__import__)",
    "poly(x, degree=(2))[0]",
    "log(x=x)",
    "log(x)(y)",
    "log(x)()",
    "(log)(x)()",
    "I(x)(x)",
    "1(x)",
    "'a'(x)",
    "I(x if z else y)",
    "I(not x)",
    "I(x and z)",
    "I(x or z)",
    "I(x < 1)",
    "I(x == z)",
    "I(x is None)",
    "I(x in z)",
    "I(await x)",
    "I((yield x))",
    "I(x, z)",
    "I(x; z)",
    "I(x := 1)",
    "I(x @ z)",
    "I(x // z)",
    "I(x % z)",
    "I(x << 2)",
    "I(x & z)",
    "I(x ^ )",
    "I(~x)",
    "I(x | z)",
    "I(...)",
    "I('a')",
    "I(True)",
    "I(None)",
    "I([1, 2])",
    "I((1, 2))",
    "log('x')",
    "'x'",
    "I('a' 'b')",
    "C(x, 'sum' 'sum')",
    "C(x, sum)",
    "C(x, contr.sum)",
    "C(x, Treatment('a'))",
    "C(x, 'sum', 'B')",
    "C(x, 'treatment', z)",
    "C(log(x))",
    "C(x + z)",
    "I(C(x))",
    "log(ns(x, 2))",
    "ns(bs(x, df=3), df=3)",
    "ns(x, df=z)",
    "ns(x, df=[2])",
    "ns(x, df='a')",
    "ns(x, knots=[z])",
    "ns(x, knots=[1, [2]])",
    "ns(x, 1000000000)",
    "poly(x, 10000)",
    "poly(x, -1)",
    "poly(x, True)",
    "lag(x, by=1)",
    "lag(x, by=log(x))",
    # back-quotes
    "`x",
    "``",
    "`   `",
    "`__import__`",
    "`log`(x)",
    "`__import__`('os')",
    "`os`.system('x')",
    "poly(x, `degree`=2)",
    "`a` `b`",
    "`a`'b'",
    "`a\\`",
    "`a\nb`",
    "`a\x00b`",
    "`a\u202eb`",
    "`a\u200bb`",
    "I(`x`[0])",
    "`" + "a" * 300 + "`",
    # unicode
    "\ufb01le",
    "\U0001d425\U0001d428\U0001d420(x)",
    "\uff45\uff56\uff41\uff4c(x)",
    "__\uff49\uff4d\uff50\uff4f\uff52\uff54__('os')",
    "\u00aalog(x)",
    "\u0435xp(x)",  # Cyrillic e
    "x\u00a0",
    "x\u00b2",
    "log\u200b(x)",
    "\u0661",
    # size and depth
    "(" * 500 + "x" + ")" * 500,
    "I(" + "(" * 100 + "x" + ")" * 100 + ")",
    "I(" + "-" * 1500 + "x)",
    "I(" + "+".join(["x"] * 900) + ")",
    "log(" * 300 + "x" + ")" * 300,
    "x + " * 1000 + "x",
    "I(9**9**9**9)",
    "I(x + 10**400)",
    "I(2**(3**4))",
    "I((-8)**0.5)",
    "I(0**-1)",
    "I(x * " + "9" * 100 + ")",
    "I(x * 1e999)",
    "I(1j * x)",
    "I(0x10 * x)",
    "I(1_000 * x)",
    "I(1.2.3)",
    # bytes and quotes
    "x\x00",
    "\x00",
    "I(x\x00)",
    "C(x, 'a",
    'C(x, "a\\"b")',
    "C(x, 'treatment', '\\x41')",
    "C(x, 'treatment', 'a\nb')",
    "x # comment",
    "I(x)\\",
    "x$y",
    "x?",
    "@x",
    "!x",
]
"""Refused wherever an expression may stand."""

CODE_NAMES = [
    "__import__('os').system('x')",
    "a'); import os; ('",
    'a" + b + "',
    "{x}",
    "lambda: 1",
    "x) + (y",
    "x; y",
    "a#b",
    "%in%",
    "a|b",
    "eval(x)",
]
"""Column names that look like code: as back-quoted names they are names and nothing else (the first is refused for its underscores)."""

EVENTS = ("exec", "os.", "open", "import", "subprocess.", "socket.", "pickle.", "shutil.", "ctypes.", "marshal.", "code.", "function.")
_watching = {"on": False}
_seen = []


def _hook(event, args):
    if _watching["on"] and (event == "compile" or event.startswith(EVENTS)):
        first = args[0] if args else ""
        _seen.append((event, first.decode() if isinstance(first, bytes) else str(first)))


sys.addaudithook(_hook)


@contextmanager
def watch():
    """Record what the interpreter is asked to compile, run, open or import inside the block."""
    _seen.clear()
    _watching["on"] = True
    try:
        yield _seen
    finally:
        _watching["on"] = False

"""Which of ruff's rules the review asks for, and what each weighs and means."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """`points` is what one occurrence adds to the risk of its file, in tenths of a point."""

    points: int
    meaning: str


COMPLEXITY_RULE = "C901"
LEAST_COMPLEXITY = 10
"""A function of a higher cyclomatic complexity is a finding."""

RISKY = {
    "S102": Rule(25, "runs text as code with exec"),
    "S307": Rule(25, "runs text as code with eval"),
    "S602": Rule(25, "hands a command line to a shell"),
    "S605": Rule(25, "hands a command line to a shell"),
    "S506": Rule(30, "loads YAML in a way that can run code"),
    "S301": Rule(20, "unpickles data, which can run code"),
    "S302": Rule(20, "unmarshals data, which can crash or run code"),
    "S608": Rule(15, "builds SQL out of strings"),
    "S501": Rule(30, "does not check the certificate of a server"),
    "S323": Rule(30, "does not check the certificate of a server"),
    "S202": Rule(20, "unpacks an archive without looking where its files go"),
    "S306": Rule(20, "uses a temporary name that somebody else can take first"),
    "S103": Rule(15, "gives everybody a right to a file"),
    "S104": Rule(8, "listens on all network interfaces"),
    "S108": Rule(5, "uses a fixed name in a temporary folder"),
    "S110": Rule(5, "swallows an exception without a word"),
    "S112": Rule(5, "swallows an exception without a word"),
    "S113": Rule(10, "waits for a server without a time limit"),
    "S310": Rule(5, "opens any URL that it is given, files too"),
    "S314": Rule(8, "parses XML that can exhaust memory"),
    "S324": Rule(8, "uses a hash that is broken for security"),
    "S701": Rule(20, "renders a template without escaping"),
    "E722": Rule(8, "catches everything, interrupts included"),
    "B006": Rule(8, "shares one mutable default between all calls"),
    "B012": Rule(12, "leaves a finally block early, which swallows the exception"),
    "B023": Rule(10, "binds a loop variable late: every closure may see the last value"),
    "F601": Rule(12, "repeats a key in a dictionary"),
    "F632": Rule(15, "compares with a literal by identity"),
    "F702": Rule(20, "continues outside a loop"),
    "F706": Rule(20, "returns outside a function"),
    "F811": Rule(6, "defines a name again, so that the first is lost"),
    "F821": Rule(20, "uses a name that is not defined"),
    "F823": Rule(20, "uses a local variable before it has a value"),
    "F502": Rule(15, "formats a string with the wrong kind of arguments"),
    "F507": Rule(15, "formats a string with the wrong number of arguments"),
    "F524": Rule(15, "formats a string with an argument missing"),
    "PLE0101": Rule(15, "returns a value from __init__"),
    "PLE0704": Rule(4, "raises again outside an except block"),
    "PLE1205": Rule(10, "logs with too many arguments"),
    "PLE1206": Rule(10, "logs with too few arguments"),
    "PLE2502": Rule(8, "contains characters that change the direction of the text"),
    "PLW0177": Rule(15, "compares with NaN, which is never equal"),
}

LEFTOVERS = {
    "F401": Rule(2, "unused import"),
    "F841": Rule(3, "unused variable"),
    "ERA001": Rule(1, "code that was commented out"),
    "T100": Rule(20, "a debugger was left in"),
    "FIX001": Rule(4, "FIXME"),
    "FIX002": Rule(2, "TODO"),
    "FIX003": Rule(3, "XXX"),
    "FIX004": Rule(3, "HACK"),
    "T201": Rule(1, "a print"),
    "T203": Rule(1, "a pprint"),
}
PRINTING = frozenset({"T201", "T203"})
PRINTING_IS_ITS_JOB = ("__main__.py", "setup.py", "cli.py", "conftest.py", "manage.py")
TOP_OF_PACKAGE_IGNORES = frozenset({"F401"})
"""An `__init__.py` imports names in order to export them."""
NAMES_ITS_SUBJECT = frozenset({"F401", "F811", "F821", "F823", "F841", "B023", "F601"})
"""Rules whose message quotes the name that they are about before anything else."""

DOCSTRINGS = {
    "D100": "the module",
    "D101": "class",
    "D102": "method",
    "D103": "function",
    "D106": "class",
}

REMARKS = {
    "TODO": Rule(2, "TODO"),
    "FIXME": Rule(4, "FIXME"),
    "XXX": Rule(3, "XXX"),
    "HACK": Rule(3, "HACK"),
    "conflict": Rule(40, "the mark of an unresolved merge conflict"),
    "secret": Rule(40, "looks like a secret"),
}

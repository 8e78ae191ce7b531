"""Runtime expressions: where they stand in a document, and what can be said of jq text without running it.

Owns the rule for what is an expression, the words an expression may not use, and the proof that one is cheap.
Compiles and evaluates nothing: that happens in a sandbox elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from millwright_workflow.domain.definition.faults import Fault, Reason
from millwright_workflow.domain.definition.jq import Token, tokens
from millwright_workflow.domain.definition.scalars import Expression, Reference, unwrap
from millwright_workflow.domain.definition.tasks import ForTask, ListenTask, Task, TryTask
from millwright_workflow.domain.definition.walk import walk_tasks, walk_values
from millwright_workflow.domain.definition.workflow import Workflow

MAX_EXPRESSION_BYTES = 64 * 1024

_FORBIDDEN_FUNCTIONS = frozenset(
    {
        *("env", "input", "inputs", "input_filename", "input_line_number"),
        *("debug", "stderr", "halt", "halt_error"),
        *("import", "include", "modulemeta", "get_search_list"),
    }
)
RUNTIME_VARIABLES = frozenset({"context", "input", "output", "task", "workflow", "runtime"})
SECRETS = "secrets"
"""Known where the workflow names secrets under `use`."""
_FORBIDDEN_VARIABLES = frozenset({"$ENV", "$__prog_args"})


@dataclass(frozen=True, slots=True)
class ExpressionSite:
    """An expression and where it stands."""

    pointer: str
    expression: str
    """The jq program, without `${ }`."""


def expression_sites(document: Workflow) -> Iterator[ExpressionSite]:
    """Give every expression of a document: the strings of the form `${ … }`, and what the DSL reads as one anyway."""
    for pointer, value in walk_values(document):
        if isinstance(value, Expression):
            yield ExpressionSite(pointer, value.code)
        elif isinstance(value, str) and not isinstance(value, Reference) and (code := unwrap(value)) is not None:
            yield ExpressionSite(pointer, code)


def expression_faults(sites: tuple[ExpressionSite, ...]) -> Iterator[Fault]:
    """Find the expressions that are too long, or that reach for what is outside their input."""
    for site in sites:
        if len(site.expression.encode()) > MAX_EXPRESSION_BYTES:
            yield Fault(site.pointer, Reason.EXPRESSION_TOO_LONG, "Shorten the expression to at most 64 KiB.")
        elif words := forbidden_words(site.expression):
            message = f"Remove {', '.join(words)}: an expression sees nothing but its input and its variables."
            yield Fault(site.pointer, Reason.EXPRESSION_FORBIDDEN, message)


def forbidden_words(expression: str) -> tuple[str, ...]:
    """Find what in a jq program reaches for the environment, the process, other inputs or other files.

    Gives each word once, in order. Fields (`.env`), keys (`{env: 1}`), strings and comments are no words; programs in
    strings (`"\\(env)"`) are. A comment with a backslash or a carriage return counts as forbidden, since versions of jq
    differ on where it ends. Never raises: text that is no jq gives what can be seen in it.
    """
    return tuple(dict.fromkeys(word for token in tokens(expression) if (word := _forbidden(token))))


def variables(expression: str) -> frozenset[str]:
    """Give the names that a jq program mentions as variables, without the dollar, also those it binds itself."""
    return frozenset(token.text[1:] for token in tokens(expression) if token.kind == "variable")


def known_variables(document: Workflow) -> frozenset[str]:
    """Give the names that expressions of a document may use: the specification's, and those its tasks declare.

    A name that only some tasks declare counts as known everywhere; where it is not, evaluating fails.
    """
    declared = {name for _, _, task in walk_tasks(document) for name in _declared(task)}
    secrets = {SECRETS} if document.use.secrets else set()
    return RUNTIME_VARIABLES | declared | secrets


def _declared(task: Task) -> Iterator[str]:
    if isinstance(task, ForTask):
        yield from (task.for_.each, task.for_.at)
    elif isinstance(task, TryTask):
        yield task.catch.as_
    elif isinstance(task, ListenTask) and task.foreach:
        yield from (task.foreach.item, task.foreach.at)


def _forbidden(token: Token) -> str | None:
    if token.kind == "word" and (words := _FORBIDDEN_FUNCTIONS.intersection(token.text.split("::"))):
        return min(words)
    if token.kind == "variable" and token.text in _FORBIDDEN_VARIABLES:
        return token.text
    return "comments with a backslash" if token.kind == "unclear" else None

"""What modules, their versions, their history and plans look like to a person. Pure functions."""

from collections.abc import Iterable

from millwright.modules.v1 import module_pb2, module_service_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, facts, glyph, marked, short, table
from millwright_cli.module.views import problem
from millwright_cli.module.views.amounts import size
from millwright_cli.module.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Word, Words

_Module, _Activation = module_pb2.Module, module_pb2.Activation
_NONE = "–"


def listing(modules: Iterable[module_pb2.Module], say: Words) -> RenderableType:
    """Draw modules as a table."""
    headings = (Term.MODULE, Word.TITLE, Word.VERSION, Word.STATE, Term.CATEGORY, Term.GENERATION, Word.UPDATED)
    rows = (
        (
            short(each.name),
            problem.spoken(each.titles, say),
            each.active_version or _NONE,
            marked(_Module.State.Name(each.state), say),
            say.named(_Module.Category.Name(each.category)),
            str(each.generation),
            moment(each.update_time, say),
        )
        for each in modules
    )
    return table(headings, rows, say)


def details(
    answer: module_service_pb2.GetModuleResponse, versions: Iterable[module_pb2.ModuleVersion], say: Words
) -> list[RenderableType]:
    """Draw one module, what is wrong with its live version, and the versions that are kept."""
    module, live = answer.module, answer.version
    known = facts(
        [
            (Term.MODULE, short(module.name)),
            (Word.TITLE, problem.spoken(module.titles, say)),
            (Word.STATE, marked(_Module.State.Name(module.state), say)),
            (Word.VERSION, module.active_version),
            (Term.GENERATION, str(module.generation)),
            (Term.CATEGORY, say.named(_Module.Category.Name(module.category))),
            (Term.PUBLISHER, module.publisher),
            (Term.SIGNER, live.signer),
            (Term.OPERATION, short(module.operation)),
            (Word.CREATED, moment(module.create_time, say)),
            (Word.UPDATED, moment(module.update_time, say)),
        ],
        say,
    )
    wrong = problem.lines([*answer.problems, *live.warnings], say)
    return [known, *wrong, _assets(live, say), _versions(versions, say)]


def history(activations: Iterable[module_pb2.Activation], say: Words) -> RenderableType:
    """Draw what was live when."""
    headings = (
        Term.GENERATION,
        Term.WHAT,
        Term.FROM,
        Term.TO,
        Word.WHEN,
        Word.ACTOR,
        Word.REASON,
    )
    rows = (
        (
            short(each.name),
            marked(_Activation.Kind.Name(each.kind), say),
            each.from_version or _NONE,
            each.to_version or _NONE,
            moment(each.create_time, say),
            say(Term.AUTOMATIC) if each.automatic else each.actor,
            each.reason,
        )
        for each in activations
    )
    return table(headings, rows, say)


def move(answer: module_service_pb2.RollbackModuleResponse, took: str, say: Words) -> list[RenderableType]:
    """Say what a rollback did."""
    module = answer.module
    name = short(module.name)
    if not answer.HasField("activation"):
        said = say(Term.UNCHANGED, module=name, state=say.named(_Module.State.Name(module.state)))
        return [Text(said, style="dim"), *caveats(say, replayed=answer.replayed)]
    done = answer.activation
    kind = _Activation.Kind.Name(done.kind)
    versions = {"from_version": done.from_version or _NONE, "to_version": done.to_version or _NONE}
    told = say(Term.CHANGED, module=name, kind=say.named(kind), **versions, took=took)
    return [Text.assemble(glyph(kind), " ", told), *caveats(say, replayed=answer.replayed)]


def removal(answer: module_service_pb2.UninstallModuleResponse, took: str, say: Words) -> list[RenderableType]:
    """Say which modules are gone."""
    lines: list[RenderableType] = []
    for module in answer.modules:
        state = _Module.State.Name(module.state)
        told = say(Term.GONE, module=short(module.name), state=say.named(state), took=took)
        lines.append(Text.assemble(glyph(state), " ", told))
    return [*lines, *caveats(say, replayed=answer.replayed)]


def live(module: module_pb2.Module, say: Words) -> Text:
    """Say in one line which version of a module is live."""
    state = _Module.State.Name(module.state)
    values = {"module": short(module.name), "version": module.active_version or _NONE, "generation": module.generation}
    return Text.assemble(glyph(state), " ", say(Term.LIVE, **values, state=say.named(state)))


def plan(answer: module_service_pb2.PlanChangeResponse, say: Words) -> list[RenderableType]:
    """Draw what would be done, what stands in its way, and the token that allows it."""
    headings = (Term.MODULE, Term.WHAT, Term.FROM, Term.TO)
    steps = (
        (
            short(each.module),
            marked(_Activation.Kind.Name(each.kind), say),
            each.from_version or _NONE,
            each.to_version or _NONE,
        )
        for each in answer.steps
    )
    lines: list[RenderableType] = [table(headings, steps, say), *problem.lines(answer.problems, say)]
    if not is_blocked(answer):
        lines.append(Text.assemble(("✔ ", "green"), say(Term.NOTHING_IN_THE_WAY)))
    if answer.plan_token:
        lines.append(Text(say(Term.PLAN_TOKEN, token=answer.plan_token)))
    return lines


def is_blocked(answer: module_service_pb2.PlanChangeResponse) -> bool:
    """Tell whether something stands in the way of a plan."""
    return any(each.severity == module_pb2.Problem.SEVERITY_ERROR for each in answer.problems)


def _assets(version: module_pb2.ModuleVersion, say: Words) -> RenderableType:
    headings = (Term.BUILT, Word.SIZE)
    return table(headings, ((each.path, size(each.bytes)) for each in version.assets), say) if version.assets else ""


def _versions(versions: Iterable[module_pb2.ModuleVersion], say: Words) -> RenderableType:
    headings = (Word.VERSION, Word.STATE, Word.SIZE, Term.SIGNER, Word.CREATED)
    rows = (
        (
            short(each.name),
            marked("STATE_ENABLED", say) if each.active else "",
            size(each.package_bytes),
            each.signer or _NONE,
            moment(each.create_time, say),
        )
        for each in versions
    )
    return table(headings, rows, say)

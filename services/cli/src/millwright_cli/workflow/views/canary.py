"""What a canary looks like to a person. Pure functions from an answer to lines."""

from millwright.workflow.v1 import release_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from millwright_cli.drawing import glyph, marked, short
from millwright_cli.times import clock, moment, span
from millwright_cli.words import Words
from millwright_cli.workflow.words import Term

_BAR_CELLS = 20


def moved(channel: release_pb2.Channel, release: release_pb2.Release, took: str, say: Words) -> list[RenderableType]:
    """Say what a start, a step or an abort did."""
    sign = glyph(release_pb2.Release.Operation.Name(release.operation))
    name = short(channel.name)
    if channel.HasField("canary"):
        canary = channel.canary
        values = {"version": canary.version, "share": share(canary.weight_bp), "stable": channel.version}
        sentence = say(Term.CANARY_TAKES, channel=name, **values, revision=release.revision, took=took)
    elif release.operation == release_pb2.Release.OPERATION_CANARY_ABORT:
        values = {"version": release.from_version, "stable": channel.version}
        sentence = say(Term.CANARY_ENDED, channel=name, **values, revision=release.revision, took=took)
    else:
        values = {"before": release.from_version, "after": release.to_version}
        sentence = say(Term.MOVED, channel=name, **values, revision=release.revision, took=took)
    lines: list[RenderableType] = [Text.assemble(sign, " ", sentence)]
    if release.marked_bad:
        lines.append(Text.assemble("  ", ("✘ ", "red"), say(Term.LEFT_BAD, version=release.from_version)))
    return lines


def canary(channel: release_pb2.Channel, say: Words) -> list[RenderableType]:
    """Show a channel's canary with its steps and what its gates say."""
    if not channel.HasField("canary"):
        return [none(short(channel.name), say)]
    return [
        line(channel, say),
        Text("  " + say(Term.CANARY_SINCE, time=moment(channel.canary.step_time, say)), style="dim"),
        _bar(channel.canary),
        *(_gate_line(result, say) for result in channel.canary.gates),
    ]


def picture(channel: release_pb2.Channel, say: Words) -> RenderableType:
    """Show the same as one thing that a terminal draws anew."""
    return Group(*canary(channel, say))


def line(channel: release_pb2.Channel, say: Words) -> Text:
    """Say in one line where a canary stands."""
    canary, verdicts = channel.canary, release_pb2.GateResult.Verdict
    sentence = say(
        Term.CANARY_STANDS,
        channel=short(channel.name),
        version=canary.version,
        share=share(canary.weight_bp),
        step=canary.step + 1,
        steps=len(canary.steps),
    )
    state = marked(release_pb2.Canary.State.Name(canary.state), say)
    said = [glyph(verdicts.Name(result.verdict)) for result in canary.gates]
    return Text.assemble(state, "  ", sentence, "  " if said else "", *said)


def gist(channel: release_pb2.Channel) -> bytes:
    """Give what is worth a new line when it differs: the step, the state and the verdicts."""
    canary = channel.canary
    return bytes([canary.step, canary.state, *(result.verdict for result in canary.gates)])


def none(channel: str, say: Words) -> Text:
    """Say that there is no canary."""
    return Text(f"= {say(Term.NO_CANARY, channel=channel)}")


def share(weight_bp: int) -> str:
    """Write hundredths of a percent as a percentage."""
    return f"{weight_bp / 100:g} %"


def _bar(canary: release_pb2.Canary) -> Text:
    """Draw the shares of the steps, the one it is at by its name."""
    cells = round(canary.weight_bp * _BAR_CELLS / 10_000)
    bar = Text.assemble("  ", ("█" * cells, "cyan"), ("░" * (_BAR_CELLS - cells), "dim"), "  ")
    for place, step in enumerate(canary.steps):
        style = "bold cyan" if place == canary.step else "dim"
        bar.append(("" if place == 0 else " → ") + share(step.weight_bp), style=style)
    return bar


def _gate_line(result: release_pb2.GateResult, say: Words) -> Text:
    measure = result.gate.WhichOneof("measure") or ""
    word = Term.__members__.get(f"GATE_{measure.upper()}")
    verdict = release_pb2.GateResult.Verdict.Name(result.verdict)
    bound, value = _bound(result.gate, measure, say), _written(measure, result.value, say)
    counts = say(Term.GATE_SAMPLE, canary=result.canary_instances, stable=result.stable_instances)
    name = say(word, bound=bound) if word else measure
    is_measured = bool(result.canary_instances)
    return Text.assemble(
        "  ",
        marked(verdict, say),
        f"  {name}",
        f": {value}" if is_measured else "",
        (f"  {counts}  {clock(result.measure_time)}", "dim"),
    )


def _bound(gate: release_pb2.Gate, measure: str, say: Words) -> str:
    if measure == "max_p95_duration":
        return span(gate.max_p95_duration.ToTimedelta().total_seconds(), say)
    return _written(measure, getattr(gate, measure), say) if measure else ""


def _written(measure: str, value: float, say: Words) -> str:
    if measure == "max_p95_duration":
        return span(value, say)
    return f"× {value:.2f}" if measure == "max_p95_ratio" else f"{value * 100:.4g} %"

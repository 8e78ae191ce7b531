"""The way to the service that tries versions, and how guardrails, arms and steps are typed."""

from datetime import timedelta
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from millwright.judgment.v1 import experiment_pb2, experiment_service_pb2, experiment_service_pb2_grpc

from millwright_cli.arguments import duration, percent_bp
from millwright_cli.connection import Connection, Service
from millwright_cli.judgment.executions import experiment_name
from millwright_cli.judgment.words import WORDS
from millwright_cli.session import Session

SERVICE = Service("judgment", experiment_service_pb2.DESCRIPTOR, WORDS)

Stub = experiment_service_pb2_grpc.ExperimentServiceStub

_Guardrail = experiment_pb2.Guardrail
_MEASURES = {
    "ERROR": _Guardrail.MEASURE_ERROR_RATE,
    "INDETERMINATE": _Guardrail.MEASURE_INDETERMINATE_RATE,
    "NO_MATCH": _Guardrail.MEASURE_NO_MATCH_RATE,
    "TOP": _Guardrail.MEASURE_TOP_OUTCOME_RATE,
}
_WHOLE_BP = 10_000


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to it."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)


def guardrail(text: str) -> experiment_pb2.Guardrail:
    """Read a guardrail such as `critical=+2%` or `critical=+2%,-1%`: an outcome, or what else is counted."""
    what, sign, bounds = text.partition("=")
    found = _Guardrail(measure=_MEASURES.get(what, _Guardrail.MEASURE_OUTCOME_RATE))
    if found.measure == _Guardrail.MEASURE_OUTCOME_RATE:
        found.outcome = what
    if not what or not sign:
        raise typer.BadParameter(f"{text!r} is no guardrail such as critical=+2%")
    for bound in bounds.split(","):
        share = percent_bp(bound[1:]) / _WHOLE_BP
        match bound[:1]:
            case "+":
                found.max_increase = share
            case "-":
                found.max_decrease = share
            case _:
                raise typer.BadParameter(f"{bound!r} is neither +2% nor -2%")
    return found


def arm(text: str) -> experiment_pb2.Arm:
    """Read an arm such as `tighter=2` or `tighter=2:3`: its name, its version, and its weight."""
    name, _, rest = text.partition("=")
    version, _, weight = rest.partition(":")
    if not name or not version.isdecimal() or (weight and not weight.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no arm such as tighter=2 or tighter=2:3")
    return experiment_pb2.Arm(name=name, version=int(version), weight=int(weight or 1))


def step(text: str) -> experiment_pb2.ExperimentStep:
    """Read a step: a share, how long and how many judgments at least, such as `10%`, `10%/30m`, `10%/30m/500`."""
    share, *rest = text.split("/")
    least, count, *more = [*rest, "", ""]
    if len(rest) > 2 or any(more) or (count and not count.isdecimal()):
        raise typer.BadParameter(f"{text!r} is no step such as 10%, 10%/30m or 10%/30m/500")
    lasts = duration(least) if least else timedelta()
    return experiment_pb2.ExperimentStep(
        weight_bp=percent_bp(share),
        min_duration=Duration(seconds=int(lasts.total_seconds())),
        min_executions=int(count or 0),
    )


ExperimentName = Annotated[
    str, typer.Argument(parser=experiment_name, metavar="ID", help="The experiment's id.", show_default=False)
]
ExperimentId = Annotated[
    str,
    typer.Option("--id", metavar="ID", help="What to call it: a-z, 0-9 and dashes.", show_default="one that is made"),
]
Guardrails = Annotated[
    list[experiment_pb2.Guardrail] | None,
    typer.Option(
        "--guardrail",
        parser=guardrail,
        metavar="WHAT=+N%",
        help="At most so much more than of the control: critical=+2%, or +2%,-1% to bound it below too. WHAT is an "
        "outcome, ERROR, INDETERMINATE, NO_MATCH, or TOP for the most severe; may be given more than once.",
    ),
]
Alpha = Annotated[
    float,
    typer.Option("--alpha", metavar="N", min=0, max=1, help="How likely a false alarm may be.", show_default="0.01"),
]
"""0 leaves the choice to the service."""

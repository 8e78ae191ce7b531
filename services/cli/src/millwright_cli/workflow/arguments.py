"""What the workflow service's resources are called, and the arguments that name them."""

from typing import Annotated

import typer

from millwright_cli.arguments import named


def workflow_name(text: str) -> str:
    """Read `namespace.name`, with or without `workflows/`, as a resource name."""
    return named("workflows", text)


def instance_name(text: str) -> str:
    """Read an instance's id, with or without `instances/`, as a resource name."""
    return named("instances", text)


def approval_name(text: str) -> str:
    """Read an approval's id, with or without `approvals/`, as a resource name."""
    return named("approvals", text)


def run_job_name(text: str) -> str:
    """Read a run job's id, with or without `runJobs/`, as a resource name."""
    return named("runJobs", text)


WorkflowName = Annotated[
    str, typer.Argument(parser=workflow_name, metavar="NAME", help="The workflow: namespace.name.", show_default=False)
]
InstanceName = Annotated[
    str, typer.Argument(parser=instance_name, metavar="ID", help="The instance's id.", show_default=False)
]
ApprovalName = Annotated[
    str, typer.Argument(parser=approval_name, metavar="ID", help="The approval's id.", show_default=False)
]

"""The cases of every service, by its name."""

from tests.end_to_end.curl import etl, judgment, modules, workflow

CALLS = {"workflow": workflow.CALLS, "judgment": judgment.CALLS, "etl": etl.CALLS, "modules": modules.CALLS}

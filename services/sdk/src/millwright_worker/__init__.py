"""Take work from Millwright's workflows."""

from millwright_worker.errors import Failed, Refused, Retry, Stopped, WorkerError
from millwright_worker.task import Task
from millwright_worker.tasks import Tasks, worker

__all__ = ["Failed", "Refused", "Retry", "Stopped", "Task", "Tasks", "WorkerError", "worker"]

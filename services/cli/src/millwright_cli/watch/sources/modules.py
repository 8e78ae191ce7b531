"""The modules service: its operations."""

from millwright.modules.v1 import module_service_pb2
from millwright.modules.v1.operation_pb2 import Operation, Stage
from rich.text import Text

from millwright_cli.drawing import bar
from millwright_cli.module import modules
from millwright_cli.module.operation_watch import EXIT_CODES
from millwright_cli.module.views import operation as views
from millwright_cli.session import Session
from millwright_cli.watch.news import Look, Thing
from millwright_cli.watch.sources.asking import NEWEST


class Modules:
    """Looks at the modules service."""

    service = modules.SERVICE.name

    def __init__(self, session: Session) -> None:
        self._connection, self._stub = modules.connect(session)
        self._say = session.say.of(modules.SERVICE.words)

    def look(self) -> Look:
        """Ask for operations."""
        request = module_service_pb2.ListOperationsRequest(page_size=NEWEST)
        return Look([*map(self._operation, self._connection.call(self._stub.ListOperations, request).operations)])

    def _operation(self, it: Operation) -> Thing:
        line = Text.assemble(views.state(it, self._say), "  ", bar(it.progress.percent / 100))
        return Thing(it.name, Stage.Name(it.stage), it.stage not in EXIT_CODES, line, it)

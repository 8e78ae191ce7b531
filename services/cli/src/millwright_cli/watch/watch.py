"""`millwright watch`: what all services are at, in one picture, and a line for each thing that comes about.

It looks at each service about once a second rather than holding a stream open for every instance, run and replay: the
picture is late by a second at most, and costs the same however much is under way. Whoever must not miss an event
follows the thing itself, or the events on NATS.
"""

import json
import time
from collections.abc import Iterator

import grpc
import typer
from rich.live import Live

from millwright_cli.errors import ExitCode, Failure, refused
from millwright_cli.session import Session, current
from millwright_cli.watch.news import Known, News, Source
from millwright_cli.watch.sources import SOURCES
from millwright_cli.watch.view import View, away, back, tagged

LOOK_SECONDS = 1.0


def watch(ctx: typer.Context) -> None:
    """Watch all services at once: instances, approvals, replays, experiments, runs, installs, and every release."""
    session = current(ctx)
    view = View(session.say)
    watched = [Watched(source, session, view) for source in _sources(session)]
    if session.screen.is_live:
        with Live(view, console=session.screen.out, transient=True, refresh_per_second=4):
            for service, news in _follow(watched):
                view.add(service, news.line)
    else:
        for service, news in _follow(watched):
            _print(session, service, news)


class Watched:
    """One service that is watched. One that goes away is waited for; what happened meanwhile is told then."""

    def __init__(self, source: Source, session: Session, view: View) -> None:
        self.service = source.service
        self.is_away = False
        self._source = source
        self._say = session.say
        self._view = view
        self._known = Known()

    def look(self) -> Iterator[News]:
        """Look at it, show it, and give what is news. Raises grpc.RpcError if it does not want us."""
        try:
            look = self._source.look()
        except grpc.RpcError as error:
            refusal = refused(error)
            if refusal.exit_code is not ExitCode.UNAVAILABLE:
                raise
            reason = refusal.reason or refusal.code
            self._view.show_away(self.service, reason)
            if not self.is_away:
                self.is_away = True
                yield News(away(reason, self._say), {"reachable": False, "reason": reason})
            return
        if self.is_away:
            self.is_away = False
            yield News(back(self._say), {"reachable": True})
        yield from self._known.take(look)
        self._view.show(self.service, self._known.open)


def _sources(session: Session) -> Iterator[Source]:
    """Give the services whose address is known; raises Failure if that is none."""
    unknown: Failure | None = None
    count = 0
    for connect in SOURCES:
        try:
            yield connect(session)
            count += 1
        except Failure as failure:
            unknown = failure
    if not count and unknown:
        raise unknown


def _follow(watched: list[Watched]) -> Iterator[tuple[str, News]]:
    while True:
        for each in watched:
            for news in each.look():
                yield each.service, news
        time.sleep(LOOK_SECONDS)


def _print(session: Session, service: str, news: News) -> None:
    if session.screen.is_json:
        session.screen.raw(json.dumps({"service": service, **news.body}, ensure_ascii=False))
    else:
        session.screen.lines(tagged(service, news.line))
    session.screen.out.file.flush()

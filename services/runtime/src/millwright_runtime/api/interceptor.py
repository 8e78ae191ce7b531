"""The one interceptor: around every call of our own services it stands between gRPC and the servicer.

In order: admit → authenticate → admit the tenant → authorize → wait for a seat → serve under the deadline → turn what
was raised into a status → count.
What is audited is recorded from the moment that its caller is known.
It is one class because each wrapping layer costs a call about 13 µs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from millwright_runtime import metrics, tracing
from millwright_runtime.api import calls, status
from millwright_runtime.api.access import Rule
from millwright_runtime.api.authentication import Authenticator
from millwright_runtime.api.tenants import Kind, Tenants
from millwright_runtime.audit import recording
from millwright_runtime.audit.auditing import Auditing
from millwright_runtime.concurrency.admission import Admission, NoSeat, Queued, nothing_queued
from millwright_runtime.errors import DeadlineExceeded, InvalidArgument, MillwrightError, ResourceExhausted, Unavailable

_ANSWER_MARGIN_SECONDS = 0.2
"""Ending what was begun takes a moment: a statement to cancel, a transaction to roll back."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RequestTooLarge(ResourceExhausted):
    """The request has {size} bytes; at most {limit} are read."""

    retry_seconds = None


class TooManyCalls(ResourceExhausted):
    """The service is serving as many calls as it can. Wait a moment and try again."""


class TooSlow(ResourceExhausted):
    """The client took nothing for {seconds} s. Call again with the last sequence received, {sequence}."""


class _Dropped(Exception):
    """Thrown into a stream that is read no more."""


class RequestMalformed(InvalidArgument):
    """The request is not a well-formed message of its type."""


class Starting(Unavailable):
    """The service is starting: its database is not ready yet. Try again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is served at once."""

    calls: int
    streams: int
    default_deadline_seconds: float
    message_bytes: int
    """The largest request."""
    write_seconds: float = 20.0
    """How long a stream waits for its client to make room for one more message."""
    late_seconds: float = 0.1
    """How late the process may be before fewer calls are served at once than `calls`."""


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of the methods that have an access rule; health and reflection pass through untouched."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        authenticator: Authenticator,
        limits: Limits,
        tenants: Tenants | None = None,
        auditing: Auditing | None = None,
        queued: Queued = nothing_queued,
    ) -> None:
        """Serve by `rules`; `auditing` is needed where one of them has calls audited.

        Fewer calls are let in while what is `queued` is late.
        """
        self._tenants = tenants or Tenants()
        self._rules = rules
        self._auditing = auditing
        self._authenticator = authenticator
        self._limits = limits
        self._wrapped: dict[str, Handler] = {}
        self.admission = Admission(limits.calls, limits.late_seconds, queued)
        self.streams = Admission(limits.streams, limits.late_seconds)
        """Its limit stands: a stream that is open costs little."""
        self._admissions: Mapping[Kind, Admission] = {"calls": self.admission, "streams": self.streams}
        self._is_open = False

    def open(self) -> None:
        """Let calls in from now on; before, they are told that the service is starting."""
        self._is_open = True

    async def intercept_service(  # type: ignore[override]  # grpc's stub has it generic in what we never look at
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]], details: grpc.HandlerCallDetails
    ) -> Handler:
        """Give gRPC the wrapped handler of a method, made at its first call."""
        method = details.method
        if wrapped := self._wrapped.get(method):
            return wrapped
        handler = await continuation(details)
        rule = self._rules.get(method)
        if handler is None or rule is None:
            return handler
        wrapped = self._wrapped[method] = self._wrap(handler, method, rule)
        return wrapped

    def _wrap(self, handler: Handler, method: str, rule: Rule) -> Handler:
        shape = f"{_stream(handler.request_streaming)}_{_stream(handler.response_streaming)}"
        around: Callable[..., Callable[..., Any]] = self._unary
        if handler.response_streaming:  # of a conversation, the other side decides how quick it is
            around = self._streaming if handler.request_streaming else self._feeding
        behavior: Any = around(getattr(handler, shape), _reader(handler, self._limits.message_bytes), method, rule)
        make: Callable[..., Handler] = getattr(grpc, f"{shape}_rpc_method_handler")
        return make(behavior, None, handler.response_serializer)  # we read the request ourselves, see _reader

    def _unary(
        self, serve: Callable[..., Awaitable[Any]], read: Callable[[Any], Any], method: str, rule: Rule
    ) -> Callable[..., Awaitable[Any]]:
        seconds = metrics.CALL_SECONDS.labels(method)
        counter = cache(partial(metrics.CALLS.labels, method))

        async def unary(request: Any, context: Context) -> Any:
            begin = time.monotonic()
            metadata = _metadata(context)
            remaining = _remaining_seconds(context, self._limits.default_deadline_seconds)
            deadline = asyncio.timeout(remaining)
            code, principal = "CANCELLED", None
            try:
                with tracing.serving(rule.method, metadata.get("traceparent")):
                    try:
                        async with deadline:
                            principal = await self._let_in("calls", method, rule, metadata, context)
                            calls.enter(calls.Call(method, principal, begin + remaining, self.admission.resting))
                            response = await serve(read(request), context)
                            await self._finish(response)
                    except grpc.aio.AbortError:  # the servicer ended the call itself
                        code = context.code().name
                        raise
                    except Exception as error:  # noqa: BLE001 - every refusal leaves through here
                        refusal = DeadlineExceeded() if deadline.expired() else status.refusal(error, method)
                        code = refusal.code
                        self._refuse(refusal, read, request)
                        await _abort(context, refusal)
                    code = "OK"
                    return response
            finally:
                self._let_out("calls", principal)
                counter(code).inc()
                seconds.observe(time.monotonic() - begin)

        return unary

    def _streaming(
        self, serve: Callable[..., AsyncGenerator[Any]], read: Callable[[Any], Any], method: str, rule: Rule
    ) -> Callable[..., AsyncGenerator[Any]]:
        counter = cache(partial(metrics.CALLS.labels, method))

        async def streaming(request: Any, context: Context) -> AsyncGenerator[Any]:
            metadata = _metadata(context)
            deadline = time.monotonic() + _remaining_seconds(context, float("inf"))
            code, principal = "CANCELLED", None
            metrics.STREAMS.inc()
            try:
                with tracing.serving(rule.method, metadata.get("traceparent")):
                    try:
                        principal = await self._let_in("streams", method, rule, metadata, context)
                        calls.enter(calls.Call(method, principal, deadline))
                        async with aclosing(serve(read(request), context)) as responses:
                            async for response in responses:
                                yield response
                        await self._finish()
                        code = "OK"
                    except grpc.aio.AbortError:  # the servicer ended the call itself
                        code = context.code().name
                        raise
                    except _Dropped:
                        code = TooSlow.code
                    except Exception as error:  # noqa: BLE001 - every refusal leaves through here
                        refusal = status.refusal(error, method)
                        code = refusal.code
                        self._refuse(refusal, read, request)
                        await _abort(context, refusal)
            finally:
                self._let_out("streams", principal)
                metrics.STREAMS.dec()
                counter(code).inc()

        return streaming

    def _feeding(
        self, serve: Callable[..., AsyncGenerator[Any]], read: Callable[[Any], Any], method: str, rule: Rule
    ) -> Callable[..., Awaitable[None]]:
        """Serve a stream that the client only reads, message by message as it makes room for them.

        A client that makes none for long is dropped: nothing is read for it any more, and once it does read, it learns
        of that and with which sequence to go on. Until then gRPC holds one message for it and lets no status pass.
        """
        stream = self._streaming(serve, read, method, rule)

        async def feeding(request: Any, context: Context) -> None:
            async with aclosing(stream(request, context)) as responses:
                async for response in responses:
                    writing = asyncio.ensure_future(context.write(response))
                    try:
                        is_taken = bool((await asyncio.wait({writing}, timeout=self._limits.write_seconds))[0])
                        if not is_taken:
                            with suppress(StopAsyncIteration):
                                await responses.athrow(_Dropped())
                        await writing
                    finally:
                        writing.cancel()
                    if not is_taken:
                        sequence = getattr(response, "sequence", 0)
                        await _abort(context, TooSlow(seconds=self._limits.write_seconds, sequence=sequence))

        return feeding

    async def _let_in(
        self, kind: Kind, method: str, rule: Rule, metadata: Mapping[str, Any], context: Context
    ) -> calls.Principal:
        if not self._is_open:
            raise Starting
        admission = self._admissions[kind]
        if admission.is_full and not rule.always_admitted:
            raise _shed(method)
        admission.calls += 1
        try:
            principal = await self._authenticator.authenticate(metadata.get("authorization"))
            if not rule.always_admitted:
                self._tenants.check(principal.tenant, kind, admission.most, is_write=rule.audited is not None)
            if rule.audited and self._auditing:
                self._auditing.begin(rule.method, rule.audited, principal, context.peer())
            rule.check(principal)
            with self._tenants.entering(principal.tenant, kind):
                if rule.always_admitted:
                    admission.take_now()
                else:
                    await admission.take(principal.tenant)
        except BaseException as error:  # who is refused is not in progress while it is told so
            admission.calls -= 1
            if isinstance(error, NoSeat):
                raise _shed(method) from None
            raise
        return principal

    def _let_out(self, kind: Kind, principal: calls.Principal | None) -> None:
        if principal:
            self._admissions[kind].calls -= 1
            self._admissions[kind].give_back()
            self._tenants.leave(principal.tenant, kind)
        if call := recording.current():
            call.close()

    async def _finish(self, response: Any = None) -> None:
        call = recording.current()
        if call and self._auditing:
            if response is not None and call.is_due:
                call.answered(response)
            await self._auditing.finish(call)

    def _refuse(self, refusal: MillwrightError, read: Callable[[Any], Any], request: Any) -> None:
        """Have the refusal audited; what a caller without the role asked for is read for that alone."""
        call = recording.current()
        if call and self._auditing:
            if not call.is_asked and isinstance(request, bytes):
                with suppress(MillwrightError):
                    read(request)
            self._auditing.refused(call, refusal)


def _shed(method: str) -> TooManyCalls:
    """Count a call that there is no room for, and give its refusal."""
    metrics.CALLS_SHED.labels(method).inc()
    return TooManyCalls()


def _stream(streaming: bool) -> str:  # noqa: FBT001 - as gRPC has it
    return "stream" if streaming else "unary"


def _reader(handler: Handler, limit: int) -> Callable[[Any], Any]:
    """Give what makes messages of a request's bytes, or of a stream of them.

    gRPC would read the request before it asks who is calling, and tell the client Python's text of what is wrong.
    """
    deserialize: Callable[[bytes], Any] = handler.request_deserializer or bytes

    def read(body: bytes) -> Any:
        if len(body) > limit:
            raise RequestTooLarge(size=len(body), limit=limit)
        try:
            request = deserialize(body)
        except DecodeError:
            raise RequestMalformed from None
        if call := recording.current():
            call.asked(request)
        return request

    async def read_each(bodies: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for body in bodies:
            yield read(body)

    return read_each if handler.request_streaming else read


def _metadata(context: Context) -> Mapping[str, Any]:
    return dict(context.invocation_metadata() or ())


def _remaining_seconds(context: Context, default: float) -> float:
    """Give the time to serve in, a little less than the caller's, so that our answer arrives before its own does."""
    remaining = context.time_remaining()
    if remaining is None:
        return default
    return max(0.0, remaining - min(_ANSWER_MARGIN_SECONDS, remaining / 5))


async def _abort(context: Context, refusal: MillwrightError) -> NoReturn:
    sent = status.to_grpc(refusal)
    trailers: list[tuple[str, str | bytes]] = [("grpc-status-details-bin", sent.SerializeToString())]
    if refusal.retry_seconds is not None:
        trailers.append(("grpc-retry-pushback-ms", str(int(refusal.retry_seconds * 1000))))
    await context.abort(grpc.StatusCode[refusal.code], sent.message, tuple(trailers))

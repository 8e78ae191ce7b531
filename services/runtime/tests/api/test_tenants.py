"""What one tenant asks for leaves room for the others: it is told to come back, and they do not notice it."""

import asyncio
from contextlib import suppress

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from millwright_local.testing.refusals import refused
from millwright_runtime.api.tenants import Tenants, TenantTooBusy, TenantTooFast
from millwright_runtime.settings import TenantLimit
from prometheus_client import REGISTRY
from pydantic import ValidationError


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def made(tenants, tenant, times, *, is_write=False):
    """Make so many calls; give how many were let in, and the last refusal."""
    count, refusal = 0, None
    for _ in range(times):
        try:
            tenants.check(tenant, "calls", 512, is_write=is_write)
            count += 1
        except TenantTooFast as error:
            refusal = error
    return count, refusal


def test_a_burst_is_let_in_and_then_as_many_as_the_rate_brings(clock):
    tenants = Tenants(TenantLimit(calls_per_second=4, calls_burst=10), clock=clock)
    count, refusal = made(tenants, "north", 20)
    assert count == 10
    assert (refusal.reason, refusal.retry_seconds, refusal.variables["what"]) == ("TENANT_TOO_FAST", 0.25, "calls")
    clock.now += refusal.retry_seconds
    assert made(tenants, "north", 5)[0] == 1
    clock.now += 2
    assert made(tenants, "north", 20)[0] == 8
    clock.now += 1000
    assert made(tenants, "north", 20)[0] == 10


def test_each_tenant_has_an_account_of_its_own_and_some_have_another_limit(clock):
    tenants = Tenants(
        TenantLimit(calls_per_second=1, calls_burst=3),
        {"big": TenantLimit(calls_per_second=1, calls_burst=7)},
        clock=clock,
    )
    assert [made(tenants, tenant, 10)[0] for tenant in ("north", "south", "big")] == [3, 3, 7]


def test_writes_are_held_to_less_and_reads_go_on(clock):
    tenants = Tenants(TenantLimit(calls_per_second=50, writes_per_second=1), clock=clock)
    count, refusal = made(tenants, "north", 10, is_write=True)
    assert (count, refusal.variables["what"]) == (2, "writes")
    assert made(tenants, "north", 10)[0] == 10


def test_what_is_not_set_is_not_limited(clock):
    assert made(Tenants(clock=clock), "north", 1000, is_write=True) == (1000, None)


def test_what_is_in_progress_at_once_is_held_to_the_share(clock):
    tenants = Tenants(share=0.5, clock=clock)
    for _ in range(2):
        tenants.check("north", "calls", 4, is_write=False)
        with tenants.entering("north", "calls"):
            pass
    with suppress(LookupError), tenants.entering("north", "calls"):  # it is refused after all
        raise LookupError
    with pytest.raises(TenantTooBusy, match="has 2 calls in progress"):
        tenants.check("north", "calls", 4, is_write=False)
    tenants.check("north", "streams", 4, is_write=False)
    tenants.check("south", "calls", 4, is_write=False)
    tenants.leave("north", "calls")
    tenants.check("north", "calls", 4, is_write=False)
    with pytest.raises(TenantTooBusy, match="has 1 calls in progress"):
        tenants.check("north", "calls", 2, is_write=False)  # fewer may be in progress by now


def test_a_limit_that_says_what_is_not_known_is_refused():
    with pytest.raises(ValidationError, match="calls_per_minute"):
        TenantLimit(calls_per_minute=1)


@pytest.fixture
def bearer(token):
    """The metadata of a viewer of a tenant."""
    return lambda tenant: (("authorization", f"Bearer {token(tenant=tenant, roles=['viewer'])}"),)


async def answer(request, context):
    return StringValue()


def limited(tenant, limit):
    return REGISTRY.get_sample_value("millwright_calls_limited_total", {"tenant": tenant, "limit": limit}) or 0


async def test_a_tenant_that_floods_is_told_when_to_come_and_another_is_served_all_along(served, bearer, clock):
    served.interceptor._tenants = Tenants(TenantLimit(calls_per_second=2, calls_burst=5), clock=clock)
    served.shapes.behavior["unary_unary"] = answer
    flood, quiet = bearer("flood"), bearer("quiet")
    counted = limited("flood", "calls")
    refusals = 0
    for number in range(40):
        try:
            await served.call("unary_unary", metadata=flood)
        except grpc.aio.AioRpcError:
            refusals += 1
        if number % 10 == 0:
            await served.call("unary_unary", metadata=quiet)
    assert refusals == 35
    assert limited("flood", "calls") == counted + 35
    refusal = await refused(served.call("unary_unary", metadata=flood))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "TENANT_TOO_FAST")
    assert (refusal.retry_info.retry_delay.ToMilliseconds(), refusal.pushback) == (500, "500")
    await served.call("unary_unary", method="unary_unary_always", metadata=flood)
    clock.now += 0.5
    await served.call("unary_unary", metadata=flood)


@pytest.mark.parametrize("shape", ["unary_unary", "unary_stream"])
async def test_a_tenant_whose_calls_hang_leaves_room_for_another_and_for_what_must_not_wait(served, bearer, shape):
    served.interceptor._tenants = Tenants(share=0.5)
    begun, release = asyncio.Semaphore(0), asyncio.Event()

    async def hold(request, context):
        begun.release()
        await release.wait()
        return StringValue()

    async def stream(request, context):
        yield await hold(request, context)

    served.shapes.behavior.update(unary_unary=hold, unary_stream=stream)

    def call(tenant, method=""):
        made = served.call(shape, method=method, metadata=bearer(tenant))
        return asyncio.ensure_future(anext(aiter(made)) if shape.endswith("_stream") else made)

    first = call("busy")
    await begun.acquire()
    refusal = await refused(served.call(shape, metadata=bearer("busy")))
    assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "TENANT_TOO_BUSY")
    others = [call("other"), call("busy", f"{shape}_always")]
    for _ in others:
        await begun.acquire()
    release.set()
    await asyncio.gather(first, *others)
    await call("busy")
    assert not any(served.interceptor._tenants._held.values())

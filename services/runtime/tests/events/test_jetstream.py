"""What an event looks like on NATS, and that who watches is woken by it."""

import asyncio
import gc
import json
import os
import signal
import uuid
from datetime import datetime

import pytest
from millwright_local.nats import Nats
from millwright_local.processes import until
from millwright_runtime import tracing
from millwright_runtime.events.jetstream import JetStream


@pytest.fixture
def resource():
    return f"workflows/quality.{uuid.uuid4()}"


async def publish(relay, writer, reader, resource, **options):
    (event,) = await writer.write(resource, **options)
    await relay.flush()
    (message,) = await reader.messages()
    return event, message


async def test_an_event_is_a_cloud_event(relay, writer, reader, resource):
    with tracing.serving("test", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") as trace:
        data = {"toVersion": 2, "한": "글"}
        event, message = await publish(relay, writer, reader, resource, kind="rollback", data=data)
    assert message.subject == f"millwright.north.sample.rollback.{resource.removeprefix('workflows/')}"
    assert json.loads(message.data) == data
    headers = dict(message.headers)
    assert datetime.fromisoformat(headers.pop("ce-time")) == event.event_time
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": f"{resource}/1",
        "ce-source": "/millwright/north/sample",
        "ce-type": "sample.happened.v1",
        "ce-subject": resource,
        "ce-datacontenttype": "application/json",
        "traceparent": trace.traceparent,
        "Nats-Msg-Id": f"/millwright/north/sample/{resource}/1",
    }


async def test_a_name_cannot_break_out_of_subject_or_headers(relay, writer, reader):
    _, message = await publish(relay, writer, reader, "workflows/a b*>\r\nx: y 한")
    assert message.subject == "millwright.north.sample.lifecycle.a%20b%2A%3E%0D%0Ax%3A%20y%20%ED%95%9C"
    assert message.headers["ce-subject"] == "workflows/a%20b%2A%3E%0D%0Ax%3A%20y%20%ED%95%9C"


async def test_an_event_larger_than_nats_takes_goes_without_its_body(relay, writer, reader, resource):
    _, message = await publish(relay, writer, reader, resource, data={"output": "x" * 2_000_000})
    assert not message.data
    assert message.headers["ce-dataomitted"] == "true"
    assert await writer.waiting() == 0


@pytest.mark.parametrize("name", ["quality.alert", "한글 alert"])
async def test_every_replica_hears_of_an_event(relay, writer, reader, jetstream, name):
    resource = f"workflows/{name}-{uuid.uuid4()}"
    await publish(relay, writer, reader, resource)

    async def is_heard():
        return jetstream.heard == [f"north/{resource}"]

    await until(is_heard, 5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the client leaves its socket behind
async def test_a_connection_that_nats_ends_for_good_is_made_anew(local_directory, impatient):
    """As an operator who changes a password by a reload would, and takes that back."""
    configuration = local_directory / f"nats-{uuid.uuid4().hex[:8]}.conf"

    def permit(password):
        users = f"{{ user: sample, password: {password} }}, {{ user: other, password: other }}"
        configuration.write_text(f"authorization {{ users: [{users}] }}")

    permit("old")
    options = ("--config", str(configuration))
    async with Nats(local_directory / configuration.stem, options=options) as server:
        jetstream = JetStream(server.url.replace("//", "//sample:old@"), "sample", retention_days=7)
        jetstream.start(lambda _name: None)

        async def is_connected():
            return jetstream.is_connected

        async def is_ended():
            return not jetstream.is_connected

        await until(is_connected, 5)
        permit("new")
        os.kill(server.process.pid, signal.SIGHUP)
        await until(is_ended, 5)
        await asyncio.sleep(1)
        permit("old")
        os.kill(server.process.pid, signal.SIGHUP)
        await until(is_connected, 5)
        assert await jetstream.context.streams_info() == []
        await jetstream.stop()
    gc.collect()


async def test_an_operator_may_change_the_stream(relay, writer, reader, resource):
    await publish(relay, writer, reader, resource)
    stream = reader.client.jetstream()
    config = (await stream.stream_info("MILLWRIGHT_SAMPLE")).config
    await stream.update_stream(config, max_age=3600)
    relay._publish.__self__._has_stream = False
    await writer.write(resource)
    await relay.flush()
    assert (await stream.stream_info("MILLWRIGHT_SAMPLE")).config.max_age == 3600
    assert await writer.waiting() == 0


async def test_a_connection_that_was_lost_with_something_to_say_is_closed_all_the_same(local_directory):
    async with Nats(local_directory / f"nats-{uuid.uuid4().hex[:8]}") as server:
        jetstream = JetStream(server.url, "sample", retention_days=7)
        jetstream.start(lambda _: None)

        async def is_connected():
            return jetstream.is_connected

        async def is_away():
            return not jetstream.is_connected

        await until(is_connected, 5)
        await server.kill()
        await until(is_away, 5)
        await jetstream._client.publish("said", b"while away")  # kept until it is connected again
        await jetstream.stop()

"""Metrics are served over HTTP until they are closed."""

import asyncio
import socket
import urllib.error
import urllib.request

import pytest
from millwright_local.ports import find_free_port
from millwright_runtime import metrics
from millwright_runtime.settings import PortTaken


def get(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


async def test_the_endpoint_answers_until_it_is_closed():
    port = find_free_port()
    close = metrics.serve(f"127.0.0.1:{port}")
    answer = await asyncio.to_thread(get, port)
    close()
    assert "millwright_calls_total" in answer
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(get, port)


def test_a_port_that_is_taken_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PortTaken, match=f"cannot listen on {address}"):
            metrics.serve(address)

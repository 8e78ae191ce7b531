"""Which addresses may be reached."""

import socket

import pytest
from millwright_workflow.engine.calls.network import AddressDenied, Network, parse_networks
from millwright_workflow.settings import WorkflowSettings

DEFAULT = Network(parse_networks(WorkflowSettings.model_fields["denied_networks"].default))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_where_clouds_keep_credentials_is_denied_in_every_form(address):
    with pytest.raises(AddressDenied):
        DEFAULT.check(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "172.16.0.1", "127.0.0.1", "::1", "fd12::1", "8.8.8.8"])
def test_plants_are_private_and_may_be_reached(address):
    DEFAULT.check(address)


def test_no_socket_is_made_for_a_denied_address():
    with pytest.raises(AddressDenied):
        DEFAULT.open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433"])
async def test_a_host_that_resolves_to_denied_addresses_alone_is_denied(host):
    with pytest.raises(AddressDenied):
        await Network(parse_networks("127.0.0.0/8, ::1/128")).resolve(host, 80)


async def test_addresses_that_may_be_reached_are_given():
    assert ("127.0.0.1", 80) in await Network(parse_networks("::1/128")).resolve("localhost", 80)


def test_what_is_no_network_is_no_setting():
    with pytest.raises(ValueError, match="nonsense"):
        parse_networks("10.0.0.0/8,nonsense")

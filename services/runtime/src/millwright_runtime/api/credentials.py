"""TLS of a gRPC server: what a connection is made with is what the certificates are at that moment."""

from __future__ import annotations

import grpc

from millwright_runtime.certificates import Certificates, Contents


def serving(certificates: Certificates) -> grpc.ServerCredentials:
    """Give credentials of a server: each handshake has the newest certificate, connections that are there stay.

    Where there are authorities, clients must show a certificate of one of them.
    """
    given = certificates.current

    def newest() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        if certificates.current is given:
            return None
        given = certificates.current
        return _configuration(given)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(given),
        newest,  # type: ignore[arg-type]  # None, for as it was, is documented
        require_client_authentication=given.authorities is not None,
    )


def _configuration(contents: Contents) -> grpc.ServerCertificateConfiguration:
    assert contents.key is not None
    assert contents.chain is not None
    return grpc.ssl_server_certificate_configuration([(contents.key, contents.chain)], contents.authorities)

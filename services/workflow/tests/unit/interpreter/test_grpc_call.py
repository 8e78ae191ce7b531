"""The `call: grpc` task."""

import pytest
from millwright_workflow.domain.interpreter import Authentication, GrpcAnswer

CALL = """
do:
- g:
    call: grpc
    with:
      proto: {{endpoint: 'http://files.example/{{line}}/press.proto'}}
      service: {{name: plant.Press, host: {host}, port: 5011, authentication: {{bearer: {{token: '${{ .token }}'}}}}}}
      method: Move
      arguments: {{by: '${{ .by }}'}}
"""
DATA = {"line": "l1", "by": 3, "token": "t", "host": "press.local"}


def test_the_method_is_called_with_the_arguments_evaluated(plan, engine):
    one = engine(answers={"plant.Press/Move": GrpcAnswer(0, {"at": 9})})
    assert one.run(plan(CALL.format(host="'${ .host }'")), DATA) == {"at": 9}
    (sent,) = one.rpcs
    assert (sent.proto_uri, sent.host, sent.port) == ("http://files.example/l1/press.proto", "press.local", 5011)
    assert (sent.arguments, sent.authentication) == ({"by": 3}, Authentication("bearer", None, {"token": "t"}))


@pytest.mark.parametrize(("code", "status"), [(14, 503), (4, 504), (5, 404), (16, 401), (2, 500), (77, 500)])
def test_any_code_but_ok_is_a_communication_error_with_the_status_of_the_code(fault_of, code, status):
    answers = {"plant.Press/Move": GrpcAnswer(code, None, "no")}
    error = fault_of(CALL.format(host="press.local"), DATA, answers=answers)
    assert (error.type.rsplit("/", 1)[1], error.status, error.instance) == ("communication", status, "/do/0/g")


def test_a_host_that_is_no_text_is_an_expression_error(fault_of):
    assert fault_of(CALL.format(host="'${ .by }'"), DATA).type.endswith("/expression")

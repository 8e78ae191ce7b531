"""Time limits of workflows and tasks."""


def test_a_task_past_its_limit_faults_with_a_timeout(fault_of):
    error = fault_of("do: [{w: {wait: {seconds: 9}, timeout: {after: {seconds: 5}}}}]")
    assert (error.type.rsplit("/", 1)[1], error.status, error.instance) == ("timeout", 408, "/do/0/w")


def test_a_task_within_its_limit_gives_its_output(run):
    assert run("do: [{w: {wait: {seconds: 5}, timeout: {after: PT5S}, output: {as: '.n'}}}]", {"n": 1}) == 1


def test_a_limit_may_be_named_and_may_be_an_expression(fault_of):
    text = "use: {timeouts: {short: {after: '${ .limit }'}}}\ndo: [{w: {wait: {seconds: 9}, timeout: short}}]"
    assert fault_of(text, {"limit": "PT3S"}).status == 408


def test_the_limit_of_a_workflow_covers_all_its_tasks(fault_of):
    text = "timeout: {after: {seconds: 5}}\ndo: [{a: {wait: {seconds: 3}}}, {b: {wait: {seconds: 3}}}]"
    assert fault_of(text).instance == "/timeout"


def test_an_inner_try_does_not_catch_the_limit_of_a_task_around_it(run, fault_of):
    inner = "[{t: {try: [{w: {wait: {seconds: 9}}}], catch: {do: [{c: {set: {caught: inside}}}]}}}]"
    assert fault_of(f"do: [{{o: {{timeout: {{after: PT5S}}, do: {inner}}}}}]").instance == "/do/0/o"
    outer = f"[{{o: {{timeout: {{after: PT5S}}, do: {inner}}}}}]"
    assert run(f"do: [{{p: {{try: {outer}, catch: {{do: [{{c: {{set: {{caught: outside}}}}}}]}}}}}}]") == {
        "caught": "outside"
    }


def test_a_try_catches_the_limit_of_a_task_inside_it(run):
    text = """
do:
- t:
    try: [{w: {wait: {seconds: 9}, timeout: {after: PT5S}}}]
    catch:
      errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout}}
      do: [{c: {set: {late: '${ $error.instance }'}}}]
"""
    assert run(text) == {"late": "/do/0/t/try/0/w"}

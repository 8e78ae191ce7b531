"""`call: run-pipeline` against the real etl service, and workflows that the end of one of its runs starts."""

import json
import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

import nats as nats_client
import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.etl.v1 import ingest_service_pb2, pipeline_service_pb2, record_pb2, run_pb2
from millwright_etl.app import SERVICE as ETL
from millwright_local.ports import find_free_port
from millwright_local.processes import until
from millwright_local.testing.client import ContractClient, rpcs_of
from millwright_local.testing.services import opened
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from workflow_rig.client import Instance

DAY = "2025-11-14"
NOON = datetime(2025, 11, 14, 12, tzinfo=ZoneInfo("Asia/Seoul"))
ORDER = {"line_code": "L1", "product_code": "P1", "shift": "A", "total_qty": 100, "good_qty": 95, "defect_qty": 5}


class Etl(ContractClient):
    """Calls the etl service."""

    rpcs = rpcs_of((ingest_service_pb2, pipeline_service_pb2))


def running_pipeline(**arguments):
    """A task that runs the daily pipeline."""
    return {"load": {"call": "run-pipeline", "with": {"pipeline": "daily-production", **arguments}}}


@pytest.fixture(scope="module")
async def etl_settings(service_databases, service_settings):
    """The settings of an etl service, on a port that its caller knows before it runs."""
    async with service_databases.fresh(ETL) as urls:
        yield service_settings(ETL, urls.service, listen=f"127.0.0.1:{find_free_port()}")


@pytest.fixture(scope="module")
async def etl_service(etl_settings):
    """The etl service, running."""
    async with running(ETL, etl_settings) as service:
        yield service


@pytest.fixture(scope="module")
def settings(urls, service_settings, etl_settings, keys):
    """The settings of a workflow service that may call it."""
    return service_settings(SERVICE, urls.service, etl_endpoint=etl_settings.listen, signing_key=keys.private_file)


@pytest.fixture
async def etl(etl_service, client, token):
    """A client of the etl service in the tenant of the test, which has a work order of one day."""
    async with opened(Etl, token, etl_service, client.tenant, roles=("operator", "admin")) as etl:
        time = Timestamp()
        time.FromDatetime(NOON)
        row = record_pb2.Record(
            source_type=record_pb2.SOURCE_TYPE_MES,
            source_system="mes-1",
            record_type="RECORD_TYPE_WORK_ORDER",
            external_id="1",
            payload=json.dumps(ORDER),
            event_time=time,
        )
        await etl.IngestBatch(records=[row])
        yield etl


@pytest.fixture
def started(client):
    """Give a function that waits until so many instances have ended, and gives the runs that started them."""

    async def wait(count):
        async def enough():
            return len((await client.ListInstances()).instances) >= count

        await until(enough, 20.0)
        ended = [await client.ended(each.name) for each in (await client.ListInstances()).instances]
        return sorted(json_format.MessageToDict(each.output)["run"] for each in ended)

    return wait


async def run_to_its_end(etl):
    """Run the day; give the run's name."""
    run = (await etl.RunPipeline(pipeline="daily-production", dates=[DAY])).run.name

    async def is_over():
        return (await etl.GetRun(name=run)).run.state == run_pb2.Run.STATE_COMPLETED

    await until(is_over, 20.0)
    return run


async def send_again(nats, tenant, run):
    """Send again, as another message, what the etl service told of a run's end."""
    connection = await nats_client.connect(nats.url)
    subject = f"millwright.{tenant}.etl.lifecycle.{run.partition('/')[2]}"
    told = await connection.jetstream().get_last_msg("MILLWRIGHT_ETL", subject)
    headers = {**(told.headers or {}), "Nats-Msg-Id": str(uuid.uuid4())}
    await connection.jetstream().publish(subject, told.data, headers=headers)
    await connection.close()


async def runs(etl):
    return (await etl.ListRuns()).runs


async def test_a_day_is_run_to_its_end_and_the_workflow_gets_what_was_counted(client, etl):
    await client.release([running_pipeline(dates=[DAY])])
    name = await client.start()
    ended = await client.ended(name)
    assert ended.state == Instance.STATE_COMPLETED
    output = json_format.MessageToDict(ended.output)
    [run] = await runs(etl)
    counts = output.pop("counts")
    assert output == {"run": run.name, "state": "COMPLETED", "fromDate": DAY, "toDate": DAY, "windows": 1}
    assert (counts["rowsRead"], counts["rowsUsed"], counts["factsInserted"], counts["totalQty"]) == (1, 1, 1, 100)
    assert run.requester == name


async def test_without_dates_everything_that_is_due_is_run(client, etl):
    await client.release([running_pipeline()])
    output = json_format.MessageToDict((await client.run()).output)
    assert (output["state"], output["fromDate"]) == ("COMPLETED", DAY)
    assert output["counts"]["rowsUsed"] == 1


async def test_a_run_that_fails_is_a_fault_and_a_try_that_tries_again_is_another_run(client, etl):
    strict = run_pb2.QualityRule(
        name="qualityRules/small-lots",
        check=run_pb2.QualityRule.CHECK_RANGE,
        field="total_qty",
        max=50,
        severity=run_pb2.QualityRule.SEVERITY_CRITICAL,
    )
    await etl.SaveQualityRule(rule=strict)
    again = {"retry": {"delay": {"milliseconds": 1}, "limit": {"attempt": {"count": 1}}}}
    await client.release([{"guarded": {"try": [running_pipeline(dates=[DAY])], "catch": again}}])
    error = (await client.run()).error
    assert (error.type.rpartition("/")[2], error.status) == ("communication", 424)
    assert "is FAILED" in error.detail
    assert len(await runs(etl)) == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "status", "said"),
    [
        ({"dates": ["2999-01-01"]}, "communication", 400, "dates"),
        ({"dates": ["soon"]}, "communication", 400, "dates"),
        ({"pipeline": "hourly"}, "communication", 404, "hourly"),
    ],
)
async def test_what_is_wrong_with_a_call_is_said(client, etl, arguments, kind, status, said):
    await client.release([running_pipeline(**arguments)])
    error = (await client.run()).error
    assert (error.type.rpartition("/")[2], error.status) == (kind, status)
    assert said in error.detail
    assert await runs(etl) == []


def querying(**arguments):
    """A task that reads the day's facts."""
    return {"ask": {"call": "query-production", "with": {"from": DAY, "to": DAY, **arguments}}}


async def test_facts_are_rows_of_dimensions_and_measures_by_their_names(client, etl):
    await run_to_its_end(etl)
    await client.release([querying(groupBy=["line", "shift"], measures=["total_qty", "yield", "oee"])])
    output = json_format.MessageToDict((await client.run()).output)
    assert output == [{"line": "L1", "shift": "A", "total_qty": 100, "yield": 0.95, "oee": None}]


async def test_facts_that_are_not_there_are_no_rows(client, etl):
    await client.release([querying(groupBy=["line"], measures=["yield"])])
    assert json_format.MessageToDict((await client.run()).output) == []


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"measures": ["beauty"]}, "validation", "MEASURE_BEAUTY"),
        ({"measures": []}, "validation", "measures"),
        ({"measures": ["yield"], "groupBy": ["moon"]}, "validation", "DIMENSION_MOON"),
        ({"measures": ["yield"], "from": "soon"}, "communication", "from_date"),
    ],
)
async def test_what_is_wrong_with_a_question_for_facts_is_said(client, etl, arguments, kind, said):
    await client.release([querying(**arguments)])
    error = (await client.run()).error
    assert error.type.rpartition("/")[2] == kind
    assert said in error.detail


async def test_the_end_of_a_run_starts_a_workflow_once_however_often_it_is_told(client, etl, nats, started):
    end = {"on": {"one": {"with": {"type": "io.millwright.etl.run.completed.v1"}}}}
    note = {"note": {"set": {"run": "${ .[0].data.run }"}}}
    await client.publish([note], "1.0.0", "prod", schedule=end)
    first = await run_to_its_end(etl)
    assert await started(1) == [first]
    await send_again(nats, client.tenant, first)
    second = await run_to_its_end(etl)  # what was sent again came before this one's end
    assert await started(2) == sorted([first, second])

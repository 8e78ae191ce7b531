"""What the service counts of its work, for whoever watches it."""

from etl_rig.client import DAY, ORDER, record
from millwright.etl.v1 import run_pb2
from millwright_etl.app import SERVICE
from millwright_runtime.service import running
from prometheus_client import REGISTRY


def count(metric, **labels):
    return int(REGISTRY.get_sample_value(metric, labels) or 0)


def counts():
    return {
        "inserted": count("millwright_etl_landed_rows_total", became="inserted"),
        "unchanged": count("millwright_etl_landed_rows_total", became="unchanged"),
        "refused": count("millwright_etl_landed_rows_total", became="refused"),
        "published": count("millwright_etl_windows_total", end="published"),
        "failed": count("millwright_etl_windows_total", end="failed"),
        "timed": count("millwright_etl_window_seconds_count"),
        "used": count("millwright_etl_rows_total", fate="used"),
        "quarantined": count("millwright_etl_rows_total", fate="quarantined"),
    }


def test_how_a_day_may_end_is_told_before_the_first_one_does():
    """As 0: a counter that begins at 1 has not risen, and no alarm would see the first day that fails."""
    for end in ("published", "failed", "released"):
        assert REGISTRY.get_sample_value("millwright_etl_windows_total", {"end": end}) is not None


async def test_rows_and_days_are_counted_by_what_became_of_them(settings, connected):
    async with running(SERVICE, settings) as service, connected(service) as client:
        before = counts()
        await client.land(record(), record({**ORDER, "total_qty": "12,5"}, "bad"), record("no JSON", "none"))
        await client.land(record())
        await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
        await client.land(*(record({**ORDER, "shift": "Z"}, f"bad-{number}") for number in range(30)))
        run = await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
        assert run.state == run_pb2.Run.STATE_FAILED
    assert {name: value - before[name] for name, value in counts().items()} == {
        "inserted": 32,
        "unchanged": 1,
        "refused": 1,
        "published": 1,
        "failed": 1,
        "timed": 1,
        "used": 1,
        "quarantined": 1,
    }

"""A mistake of ours is found in the log by what others were told of it."""

import logging

from millwright_runtime import mistakes


def test_what_others_are_told_leads_to_the_log_and_says_nothing_else(caplog):
    try:
        raise RuntimeError("a secret")
    except RuntimeError as error:
        told = mistakes.record(logging.getLogger("test"), "a window failed", error, window="runs/1")
    (record,) = caplog.records
    assert (record.name, record.levelname, record.message) == ("test", "ERROR", "a window failed")
    assert (record.error_id, record.window) == (told.error_id, "runs/1")
    assert "a secret" in record.exc_text
    assert str(told) == f"Something went wrong on our side; the log has it as error {told.error_id}."
    assert (told.code, told.reason) == ("INTERNAL", "INTERNAL")


def test_each_mistake_has_an_id_of_its_own(caplog):
    log = logging.getLogger("test")
    first, second = (mistakes.record(log, "a replay failed", ValueError()).error_id for _ in range(2))
    assert first != second

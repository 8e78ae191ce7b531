"""A window that does not add up says what does not."""

from dataclasses import replace
from decimal import Decimal

import pytest
from millwright_etl.domain.windows import MEASURES, Counts, Written, discrepancies

COUNTS = Counts(
    rows_read=10,
    rows_used=7,
    rows_quarantined=2,
    rows_superseded=1,
    work_orders=7,
    total_qty=Decimal(700),
    facts=3,
    facts_inserted=1,
    facts_updated=1,
    facts_deleted=0,
    measures=[Decimal(700)] * len(MEASURES),
    defect_facts=2,
    defects=Decimal(11),
)
WRITTEN = Written(
    facts=3,
    work_orders=7,
    total_qty=Decimal(700),
    measures=[Decimal(700)] * len(MEASURES),
    defect_facts=2,
    defects=Decimal(11),
)


def test_what_adds_up_has_no_discrepancy():
    assert discrepancies(COUNTS, WRITTEN) == []
    assert COUNTS.facts_unchanged == 1


@pytest.mark.parametrize(
    ("counts", "written"),
    [
        (replace(COUNTS, rows_read=11), WRITTEN),
        (COUNTS, replace(WRITTEN, facts=4)),
        (COUNTS, replace(WRITTEN, work_orders=6)),
        (COUNTS, replace(WRITTEN, total_qty=Decimal("700.5"))),
        (COUNTS, replace(WRITTEN, measures=[*WRITTEN.measures[:-1], None])),
        (COUNTS, replace(WRITTEN, defect_facts=1)),
        (COUNTS, replace(WRITTEN, defects=Decimal(12))),
    ],
)
def test_each_discrepancy_is_told(counts, written):
    assert len(discrepancies(counts, written)) == 1

"""The runtime's own tables, and one of the sample's.

Revision ID: 0001
"""

from millwright_runtime.postgres import migrations, tables

revision = "0001"
down_revision = None

NOTE = """
CREATE TABLE sample.note (tenant text NOT NULL, text text NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON sample.note TO {role};
"""


READINGS = """
CREATE TABLE sample.reading (tenant text NOT NULL, time timestamptz NOT NULL, value text) PARTITION BY RANGE (time);
INSERT INTO sample.partitioned VALUES ('reading', 'month');
GRANT SELECT, INSERT ON sample.reading TO {role};
"""
HELD = "EXISTS (SELECT FROM sample.note WHERE text = 'hold ' || to_char(lower_time AT TIME ZONE 'UTC', 'YYYYMMDD'))"


def upgrade():
    role = migrations.service_role()
    migrations.execute(NOTE.format(role=role) + tables.tenant_policy("sample.note"))
    needed = f"{tables.events_needed('sample')} OR {HELD}"
    migrations.execute(tables.partitions("sample", role, needed))
    migrations.execute(READINGS.format(role=role) + tables.tenant_policy("sample.reading"))
    for make in (tables.events, tables.requests, tables.inbox, tables.audit):
        migrations.execute(make("sample", role))

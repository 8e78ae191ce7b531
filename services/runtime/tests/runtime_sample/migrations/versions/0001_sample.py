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


def upgrade():
    role = migrations.service_role()
    migrations.execute(NOTE.format(role=role) + tables.tenant_policy("sample.note"))
    for make in (tables.events, tables.requests, tables.inbox):
        migrations.execute(make("sample", role))

"""Uploads and blobs; modules, versions, activations; operations; settings, signing keys.

Revision ID: 0001
"""

from __future__ import annotations

from millwright_runtime.postgres import tables
from millwright_runtime.postgres.migrations import execute, service_role

revision = "0001"
down_revision = None

ARTIFACTS = """
CREATE TABLE modules.upload (
    tenant text NOT NULL,
    digest bytea NOT NULL,
    total_bytes bigint NOT NULL,
    received_bytes bigint NOT NULL DEFAULT 0,
    file_name text NOT NULL,
    is_complete boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, digest)
);
CREATE INDEX upload_update_time ON modules.upload (update_time);
COMMENT ON TABLE modules.upload IS 'Packages on their way in, by SHA-256; their bytes are chunks';

CREATE TABLE modules.chunk (
    tenant text NOT NULL,
    digest bytea NOT NULL,
    position bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (tenant, digest, position)
);
ALTER TABLE modules.chunk ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON COLUMN modules.chunk.position IS 'where in the blob, or in the upload, the data begin';

CREATE TABLE modules.blob (
    tenant text NOT NULL,
    digest bytea NOT NULL,
    place text NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'ARRIVING' CHECK (state IN ('ARRIVING', 'WHOLE', 'LEAVING')),
    bytes bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, digest, place, name)
);
CREATE INDEX blob_create_time ON modules.blob (create_time);
COMMENT ON TABLE modules.blob IS 'Copies of what was checked, by SHA-256: noted before they come, until they are gone';
COMMENT ON COLUMN modules.blob.place IS 'postgres, where the bytes are chunks, or s3';
COMMENT ON COLUMN modules.blob.name IS 'tells copies in one place apart; empty where there is one at most';
COMMENT ON COLUMN modules.blob.create_time IS 'when it was last of use: what is young is left alone';
"""

MODULES = """
CREATE TABLE modules.module (
    tenant text NOT NULL,
    code text NOT NULL,
    titles text NOT NULL,
    category text NOT NULL,
    publisher text NOT NULL,
    state text NOT NULL,
    active_version text NOT NULL DEFAULT '',
    generation bigint NOT NULL DEFAULT 0,
    operation uuid,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, code)
);
COMMENT ON TABLE modules.module IS 'The row is locked by whoever moves the pointer, active_version';
COMMENT ON COLUMN modules.module.operation IS 'the one that is under way';

CREATE TABLE modules.version (
    tenant text NOT NULL,
    code text NOT NULL,
    version text NOT NULL,
    package_digest bytea NOT NULL,
    package_bytes bigint NOT NULL,
    manifest text NOT NULL,
    entry text NOT NULL,
    signer text NOT NULL,
    warnings text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, code, version)
);
CREATE INDEX version_package ON modules.version (tenant, package_digest);
COMMENT ON COLUMN modules.version.entry IS 'the asset that is the frontend''s entry; empty without a frontend';

CREATE TABLE modules.asset (
    tenant text NOT NULL,
    code text NOT NULL,
    version text NOT NULL,
    path text NOT NULL,
    digest bytea NOT NULL,
    bytes bigint NOT NULL,
    media_type text NOT NULL,
    PRIMARY KEY (tenant, code, version, path),
    FOREIGN KEY (tenant, code, version) REFERENCES modules.version ON DELETE CASCADE
);
CREATE INDEX asset_digest ON modules.asset (tenant, digest);

CREATE TABLE modules.activation (
    tenant text NOT NULL,
    code text NOT NULL,
    generation bigint NOT NULL,
    kind text NOT NULL,
    from_version text NOT NULL,
    to_version text NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    is_automatic boolean NOT NULL,
    operation uuid,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, code, generation)
);
COMMENT ON TABLE modules.activation IS 'The history of what was live: rows are added and nothing else.';

CREATE FUNCTION modules.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of activations is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON modules.activation
    FOR EACH ROW EXECUTE FUNCTION modules.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON modules.activation
    FOR EACH STATEMENT EXECUTE FUNCTION modules.refuse_change();
"""

OPERATIONS = """
CREATE TABLE modules.operation (
    tenant text NOT NULL,
    operation uuid NOT NULL,
    code text NOT NULL,
    version text NOT NULL,
    package_digest bytea NOT NULL,
    options text NOT NULL,
    base_generation bigint NOT NULL,
    live_generation bigint,
    stage text NOT NULL,
    progress text NOT NULL,
    problems text NOT NULL DEFAULT '[]',
    requester text NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    sequence bigint NOT NULL DEFAULT 1,
    owner uuid,
    epoch bigint NOT NULL DEFAULT 0,
    attempts bigint NOT NULL DEFAULT 0,
    lease_time timestamptz,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time timestamptz,
    PRIMARY KEY (tenant, operation)
);
CREATE UNIQUE INDEX operation_open ON modules.operation (tenant, package_digest) WHERE end_time IS NULL;
CREATE INDEX operation_waiting ON modules.operation (create_time) WHERE end_time IS NULL;
CREATE INDEX operation_listed ON modules.operation (tenant, create_time, operation);
CREATE INDEX operation_ended ON modules.operation (end_time) WHERE end_time IS NOT NULL;
COMMENT ON COLUMN modules.operation.base_generation IS 'the module''s when it was asked for';
COMMENT ON COLUMN modules.operation.live_generation IS 'the module''s once it was live';
COMMENT ON COLUMN modules.operation.epoch IS 'how often it was taken; whoever took it before writes nothing';
COMMENT ON COLUMN modules.operation.attempts IS 'how often it was taken and not given back';
"""

NEEDED = """
EXISTS (SELECT FROM modules.operation WHERE end_time IS NULL AND create_time >= lower_time AND create_time < upper_time)
"""

SETTINGS = """
CREATE TABLE modules.setting (
    tenant text NOT NULL,
    code text NOT NULL,
    "values" text NOT NULL,
    version text NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    updater text NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, code)
);
COMMENT ON COLUMN modules.setting.version IS 'whose schema the values fit';

CREATE TABLE modules.kept_setting (
    tenant text NOT NULL,
    code text NOT NULL,
    version text NOT NULL,
    "values" text NOT NULL,
    PRIMARY KEY (tenant, code, version)
);
COMMENT ON TABLE modules.kept_setting IS 'The values when a version was left: a rollback brings them back';

CREATE TABLE modules.signing_key (
    tenant text NOT NULL,
    key text NOT NULL,
    public_key bytea NOT NULL,
    owner text NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, key)
);
CREATE TABLE modules.signature_policy (
    tenant text PRIMARY KEY,
    policy text NOT NULL,
    updater text NOT NULL,
    update_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

TENANTED = (
    "upload",
    "chunk",
    "blob",
    "module",
    "version",
    "asset",
    "activation",
    "operation",
    "setting",
    "kept_setting",
    "signing_key",
    "signature_policy",
)

GRANTS = """
GRANT USAGE ON SCHEMA modules TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA modules TO {role};
GRANT INSERT, UPDATE, DELETE ON modules.upload, modules.module, modules.operation, modules.setting TO {role};
GRANT INSERT, DELETE ON modules.chunk, modules.blob, modules.version, modules.asset TO {role};
GRANT INSERT ON modules.activation TO {role};
GRANT INSERT, UPDATE, DELETE ON modules.kept_setting TO {role};
GRANT INSERT, DELETE ON modules.signing_key TO {role};
GRANT INSERT, UPDATE ON modules.signature_policy TO {role};
GRANT UPDATE (state, bytes, create_time) ON modules.blob TO {role};
"""


def upgrade() -> None:
    """Make everything, and let the service's role do no more than it needs."""
    role = service_role()
    execute(tables.partitions("modules", role, f"{tables.events_needed('modules')} OR {NEEDED}"))
    for part in (ARTIFACTS, MODULES, OPERATIONS, SETTINGS):
        execute(part)
    for runtime_tables in (tables.events, tables.requests, tables.audit):
        execute(runtime_tables("modules", role))
    for table in TENANTED:
        execute(tables.tenant_policy(f"modules.{table}"))
    execute(GRANTS.format(role=role))

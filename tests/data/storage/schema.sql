CREATE INDEX journal_at ON journal (at);

CREATE INDEX namespaces_deleting ON namespaces (id) WHERE deleting_at IS NOT NULL;

CREATE INDEX pipelines_deleting ON pipelines (namespace, id) WHERE deleting_at IS NOT NULL;

CREATE INDEX runs_live ON runs (namespace, pipeline, id) WHERE state = 'RUNNING';

CREATE INDEX runs_queued ON runs (namespace, pipeline, id) WHERE state = 'PENDING';

CREATE INDEX runs_request ON runs (namespace, pipeline, request_id) WHERE request_id <> '';

CREATE INDEX runs_request_age ON runs (created_at) WHERE request_id <> '';

CREATE INDEX runs_version ON runs (namespace, pipeline, version);

CREATE INDEX runs_with_logs ON runs (namespace, pipeline, id) WHERE logs_expired = 0;

CREATE INDEX runs_with_objects ON runs (namespace, pipeline, id) WHERE objects_expired = 0;

CREATE INDEX tokens_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX tokens_task_run ON tokens (run_namespace, run_pipeline, run, task) WHERE task IS NOT NULL;

CREATE TABLE deployments (
    namespace     TEXT    NOT NULL,
    pipeline      TEXT    NOT NULL,
    id            INTEGER NOT NULL CHECK (id > 0),
    start_version INTEGER NOT NULL,
    end_version   INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('RUNNING', 'SUCCEEDED', 'FAILED')),
    reason        TEXT    NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    PRIMARY KEY (namespace, pipeline, id),
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE global_secrets (
    key        TEXT    NOT NULL PRIMARY KEY,
    namespaces TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    namespace TEXT,
    pipeline  TEXT,
    run       INTEGER,
    details   TEXT    NOT NULL
) STRICT;

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE namespaces (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
, deleting_at INTEGER) STRICT, WITHOUT ROWID;

CREATE TABLE objects (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace  TEXT    NOT NULL,
    pipeline   TEXT    NOT NULL,
    run        INTEGER CHECK (run > 0),
    key        TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id),
    FOREIGN KEY (namespace, pipeline, run) REFERENCES runs (namespace, pipeline, id)
) STRICT;

CREATE TABLE pipeline_configs (
    namespace     TEXT    NOT NULL,
    pipeline      TEXT    NOT NULL,
    version       INTEGER NOT NULL CHECK (version > 0),
    name          TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    parallelism   INTEGER NOT NULL CHECK (parallelism >= 0),
    tasks         TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('UNRELEASED', 'LIVE', 'DEPRECATED')),
    registered_at INTEGER NOT NULL,
    deprecated_at INTEGER, run_timeout_ms INTEGER CHECK (run_timeout_ms BETWEEN 1 AND 31622400000),
    PRIMARY KEY (namespace, pipeline, version),
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id)
) STRICT;

CREATE TABLE pipeline_secrets (
    namespace  TEXT    NOT NULL,
    pipeline   TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, pipeline, key),
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipelines (
    namespace       TEXT    NOT NULL REFERENCES namespaces (id),
    id              TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED')),
    created_at      INTEGER NOT NULL,
    modified_at     INTEGER NOT NULL,
    last_version    INTEGER NOT NULL DEFAULT 0,
    last_deployment INTEGER NOT NULL DEFAULT 0, deleting_at INTEGER,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_counters (
    namespace TEXT    NOT NULL,
    pipeline  TEXT    NOT NULL,
    last_run  INTEGER NOT NULL,
    PRIMARY KEY (namespace, pipeline)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    place              INTEGER PRIMARY KEY,
    namespace          TEXT    NOT NULL,
    pipeline           TEXT    NOT NULL,
    id                 INTEGER NOT NULL CHECK (id > 0),
    version            INTEGER NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    reason_code        TEXT,
    reason_description TEXT    NOT NULL,
    initiator_type     TEXT    NOT NULL,
    initiator_name     TEXT    NOT NULL,
    initiator_reason   TEXT    NOT NULL,
    variables          TEXT    NOT NULL,
    request_id         TEXT    NOT NULL,
    created_at         INTEGER NOT NULL,
    admitted_at        INTEGER,
    ended_at           INTEGER,
    stop_at            INTEGER,
    stop_force         INTEGER NOT NULL,
    objects_expired    INTEGER NOT NULL,
    revision           INTEGER NOT NULL, engine TEXT NOT NULL DEFAULT '', timeout_ms INTEGER CHECK (timeout_ms BETWEEN 1 AND 31622400000), logs_expired INTEGER NOT NULL DEFAULT 0,
    UNIQUE (namespace, pipeline, id),
    FOREIGN KEY (namespace, pipeline, version) REFERENCES pipeline_configs (namespace, pipeline, version)
) STRICT;

CREATE TABLE task_runs (
    namespace          TEXT    NOT NULL,
    pipeline           TEXT    NOT NULL,
    run                INTEGER NOT NULL,
    id                 TEXT    NOT NULL,
    state              TEXT    NOT NULL CHECK (state IN (
        'PENDING', 'STARTING', 'RUNNING', 'STOPPING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'
    )),
    reason_code        TEXT,
    reason_description TEXT    NOT NULL,
    attempt            INTEGER NOT NULL,
    engine             TEXT    NOT NULL,
    exit_code          INTEGER,
    created_at         INTEGER NOT NULL,
    started_at         INTEGER,
    ended_at           INTEGER,
    stop_at            INTEGER,
    stop_force         INTEGER NOT NULL,
    logs_expired       INTEGER NOT NULL,
    logs_removed       INTEGER NOT NULL, silent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, pipeline, run, id),
    FOREIGN KEY (namespace, pipeline, run) REFERENCES runs (namespace, pipeline, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    place         INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    hash          TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64),
    kind          TEXT    NOT NULL CHECK (kind IN ('MANAGEMENT', 'CLIENT')),
    namespaces    TEXT    NOT NULL,
    metadata      TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    disabled      INTEGER NOT NULL,
    run_namespace TEXT,
    run_pipeline  TEXT,
    run           INTEGER,
    task          TEXT,
    FOREIGN KEY (run_namespace, run_pipeline, run, task)
        REFERENCES task_runs (namespace, pipeline, run, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX deployments_running ON deployments (namespace, pipeline) WHERE state = 'RUNNING';

CREATE UNIQUE INDEX global_secrets_blob ON global_secrets (blob);

CREATE UNIQUE INDEX objects_blob ON objects (blob);

CREATE UNIQUE INDEX objects_key ON objects (namespace, pipeline, coalesce(run, 0), key);

CREATE UNIQUE INDEX pipeline_configs_live ON pipeline_configs (namespace, pipeline) WHERE state = 'LIVE';

CREATE UNIQUE INDEX pipeline_secrets_blob ON pipeline_secrets (blob);

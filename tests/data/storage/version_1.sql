BEGIN TRANSACTION;
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
INSERT INTO "deployments" VALUES('team','build',1,1,1,'SUCCEEDED','',1767323045678,1767323045678);
INSERT INTO "deployments" VALUES('team','build',2,1,2,'FAILED','words',1767323045678,1767323045678);
CREATE TABLE journal (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    namespace TEXT,
    pipeline  TEXT,
    run       INTEGER,
    details   TEXT    NOT NULL
) STRICT;
INSERT INTO "journal" VALUES(1,1767323045678,'NAMESPACE_CREATED','default',NULL,NULL,'{"namespace_id":"default"}');
INSERT INTO "journal" VALUES(3,1767323045678,'RUN_STARTED','team','build',4,'{"namespace_id":"team","pipeline_id":"build","run_id":4,"initiator_type":"HUMAN","initiator_name":"cli"}');
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('instance_id','0123456789ab');
CREATE TABLE namespaces (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "namespaces" VALUES('default','Default','',1767323045678,1767323045678);
INSERT INTO "namespaces" VALUES('team','Team','A team',1767323045678,1767323045678);
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
    deprecated_at INTEGER,
    PRIMARY KEY (namespace, pipeline, version),
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id)
) STRICT;
INSERT INTO "pipeline_configs" VALUES('team','build',1,'Simple','',0,'[{"id":"hello","description":"","image":"busybox:latest","registry_auth":null,"depends_on":{},"variables":{},"entrypoint":[],"command":[],"inject_api_token":false}]','DEPRECATED',1767323045678,1767323046000);
INSERT INTO "pipeline_configs" VALUES('team','build',2,'Simple','',3,'[{"id":"fetch","description":"Get it","image":"busybox:latest","registry_auth":{"user":"me","sealed_password":"c2VhbGVk"},"depends_on":{},"variables":{},"entrypoint":["sh"],"command":["-c","true"],"inject_api_token":true},{"id":"clean","description":"","image":"busybox:latest","registry_auth":null,"depends_on":{"fetch":"FAILURE"},"variables":{"KEY":"secret{{k}}"},"entrypoint":[],"command":[],"inject_api_token":false}]','LIVE',1767323045678,NULL);
CREATE TABLE pipelines (
    namespace       TEXT    NOT NULL REFERENCES namespaces (id),
    id              TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED')),
    created_at      INTEGER NOT NULL,
    modified_at     INTEGER NOT NULL,
    last_version    INTEGER NOT NULL DEFAULT 0,
    last_deployment INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
INSERT INTO "pipelines" VALUES('team','build','DISABLED',1767323045678,1767323045678,2,2);
CREATE TABLE run_counters (
    namespace TEXT    NOT NULL,
    pipeline  TEXT    NOT NULL,
    last_run  INTEGER NOT NULL,
    PRIMARY KEY (namespace, pipeline)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_counters" VALUES('team','build',5);
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
    revision           INTEGER NOT NULL,
    UNIQUE (namespace, pipeline, id),
    FOREIGN KEY (namespace, pipeline, version) REFERENCES pipeline_configs (namespace, pipeline, version)
) STRICT;
INSERT INTO "runs" VALUES(1,'team','build',4,2,'FAILED','abnormal_exit','words','HUMAN','cli','','{"A":"1"}','r',1767323045678,1767323045678,1767323050678,1767323048000,1,0,3);
INSERT INTO "runs" VALUES(2,'team','build',5,2,'PENDING',NULL,'','HUMAN','cli','','{}','',1767323045678,NULL,NULL,NULL,0,0,0);
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
    logs_removed       INTEGER NOT NULL,
    PRIMARY KEY (namespace, pipeline, run, id),
    FOREIGN KEY (namespace, pipeline, run) REFERENCES runs (namespace, pipeline, id)
) STRICT, WITHOUT ROWID;
INSERT INTO "task_runs" VALUES('team','build',4,'clean','CANCELLED','cancelled','words',1,'process',NULL,1767323045678,1767323047678,1767323050678,1767323048000,1,0,0);
INSERT INTO "task_runs" VALUES('team','build',4,'fetch','FAILED','abnormal_exit','words',1,'process',3,1767323045678,1767323046678,1767323047678,NULL,0,0,0);
CREATE UNIQUE INDEX pipeline_configs_live ON pipeline_configs (namespace, pipeline) WHERE state = 'LIVE';
CREATE UNIQUE INDEX deployments_running ON deployments (namespace, pipeline) WHERE state = 'RUNNING';
CREATE INDEX runs_version ON runs (namespace, pipeline, version);
CREATE INDEX runs_request ON runs (namespace, pipeline, request_id) WHERE request_id <> '';
CREATE INDEX runs_queued ON runs (namespace, pipeline, id) WHERE state = 'PENDING';
CREATE INDEX runs_live ON runs (namespace, pipeline, id) WHERE state = 'RUNNING';
CREATE INDEX journal_at ON journal (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('journal',3);
COMMIT;

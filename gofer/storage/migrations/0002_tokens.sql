-- Tokens. Of the token itself there is only its SHA-256, in hexadecimal digits. `place` is the order of creation.
-- The last four columns name the task run that a token was made for: it goes with it.

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

CREATE INDEX tokens_task_run ON tokens (run_namespace, run_pipeline, run, task) WHERE task IS NOT NULL;
CREATE INDEX tokens_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;

-- The keys of secrets. Their values are sealed in the secret store, each under the id `blob`.

CREATE TABLE pipeline_secrets (
    namespace  TEXT    NOT NULL,
    pipeline   TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, pipeline, key),
    FOREIGN KEY (namespace, pipeline) REFERENCES pipelines (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX pipeline_secrets_blob ON pipeline_secrets (blob);

CREATE TABLE global_secrets (
    key        TEXT    NOT NULL PRIMARY KEY,
    namespaces TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX global_secrets_blob ON global_secrets (blob);

-- What finds the runs whose logs and objects are due to go, and request ids that are too old, without a look at others.

ALTER TABLE runs ADD COLUMN logs_expired INTEGER NOT NULL DEFAULT 0;

CREATE INDEX runs_with_logs ON runs (namespace, pipeline, id) WHERE logs_expired = 0;
CREATE INDEX runs_with_objects ON runs (namespace, pipeline, id) WHERE objects_expired = 0;
CREATE INDEX runs_request_age ON runs (created_at) WHERE request_id <> '';

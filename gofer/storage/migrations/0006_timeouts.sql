-- How long a run may take from its admission; NULL = no limit. A run keeps what it was started with.

ALTER TABLE pipeline_configs ADD COLUMN run_timeout_ms INTEGER CHECK (run_timeout_ms BETWEEN 1 AND 31622400000);
ALTER TABLE runs ADD COLUMN timeout_ms INTEGER CHECK (timeout_ms BETWEEN 1 AND 31622400000);

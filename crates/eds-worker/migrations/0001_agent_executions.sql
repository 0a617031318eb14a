-- One row for each message that this worker has finished, whatever the number of deliveries.
CREATE TABLE agent_executions (
    consumer        text        NOT NULL,
    stream          text        NOT NULL,
    message_id      text        NOT NULL,
    stream_sequence bigint      NOT NULL,
    subject         text        NOT NULL,
    published_at    timestamptz NOT NULL,
    deliveries      bigint      NOT NULL,
    task            text,
    payload         bytea       NOT NULL,
    worker          text        NOT NULL,
    duration_ms     bigint      NOT NULL,
    finished_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Two services may read one stream into one database; each does its own work.
    PRIMARY KEY (consumer, stream, message_id)
);

CREATE INDEX agent_executions_finished_at ON agent_executions (finished_at);

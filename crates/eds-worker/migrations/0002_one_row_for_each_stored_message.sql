-- A publisher may use one message id for two messages, and both are worked on. What tells messages
-- apart is where and when the stream stored them: a stream that is deleted and made again counts its
-- sequence numbers from 1 again.
ALTER TABLE agent_executions
    DROP CONSTRAINT agent_executions_pkey,
    ADD PRIMARY KEY (consumer, stream, stream_sequence, published_at);

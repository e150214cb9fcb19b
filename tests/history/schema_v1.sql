-- A history as version 1 made it, with one row in each table. Never changes: later versions must open it.
CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL);
INSERT INTO schema_version VALUES (1, 1790000000.5);

CREATE TABLE decisions (
  id TEXT NOT NULL PRIMARY KEY, created_at DOUBLE PRECISION NOT NULL, request_id TEXT, conversation TEXT, "user" TEXT,
  preference TEXT, candidate TEXT, confidence DOUBLE PRECISION, propensity DOUBLE PRECISION, decided_by TEXT, reason TEXT,
  rules JSONB, ranking JSONB, excluded JSONB, task_type TEXT, complexity TEXT, complexity_score DOUBLE PRECISION, tier TEXT,
  tier_score DOUBLE PRECISION, novelty DOUBLE PRECISION, out_of_depth BOOLEAN, predictor TEXT, configuration TEXT,
  prompt TEXT, prompt_hash TEXT, prompt_chars BIGINT, features TEXT, features_schema TEXT
);
CREATE INDEX decisions_by_time ON decisions (created_at);
CREATE INDEX decisions_by_request ON decisions (request_id);
CREATE INDEX decisions_by_conversation ON decisions (conversation, created_at);
CREATE INDEX decisions_by_user ON decisions ("user", created_at);
INSERT INTO decisions VALUES (
  'd1', 1790000001.5, 'r1', 'c1', 'u1', 'balanced', 'local/small', 0.75, 0.9, 'utility', 'fast enough', '["long"]',
  '[{"candidate":"local/small","p_success":0.75,"expected_s":1.5,"cost_usd":null,"utility":0.7,"learned":true,"inherited":0}]',
  '[{"candidate":"local/tiny","reason":"its window is too small","rule":"long"}]', 'edit', 'simple', 2.5, 'fast', 0.25, 0.5,
  FALSE, '7', 'abc', 'rename x to y', '00112233445566778899aabbccddeeff', 13, NULL, NULL
);

CREATE TABLE attempts (
  id TEXT NOT NULL PRIMARY KEY, decision_id TEXT, number BIGINT, role TEXT, candidate TEXT,
  started_at DOUBLE PRECISION NOT NULL, queue_s DOUBLE PRECISION, load_s DOUBLE PRECISION, first_token_s DOUBLE PRECISION,
  total_s DOUBLE PRECISION, prompt_tokens BIGINT, completion_tokens BIGINT, tokens_per_s DOUBLE PRECISION, streamed BOOLEAN,
  error TEXT, message TEXT, confidence DOUBLE PRECISION, signals JSONB, chosen BOOLEAN,
  answer TEXT
);
CREATE INDEX attempts_by_decision ON attempts (decision_id);
CREATE INDEX attempts_by_time ON attempts (started_at);
INSERT INTO attempts VALUES (
  'a1', 'd1', 1, 'first', 'local/small', 1790000001.75, 0, NULL, 0.25, 1.25, 100, 50, 40, TRUE, '', '', 0.5, '{"ended":true}', TRUE,
  'def y'
);

CREATE TABLE outcomes (
  id TEXT NOT NULL PRIMARY KEY, decision_id TEXT, candidate TEXT, source TEXT, score DOUBLE PRECISION,
  weight DOUBLE PRECISION, created_at DOUBLE PRECISION NOT NULL, details JSONB
);
CREATE INDEX outcomes_by_decision ON outcomes (decision_id);
CREATE INDEX outcomes_by_time ON outcomes (created_at);
INSERT INTO outcomes VALUES ('o1', 'd1', 'local/small', 'verifier', 1, 0.5, 1790000003, '{"exit":0}');

CREATE TABLE feedback (
  id TEXT NOT NULL PRIMARY KEY, decision_id TEXT, "user" TEXT, kind TEXT, value DOUBLE PRECISION, comment TEXT,
  created_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX feedback_by_decision ON feedback (decision_id);
CREATE INDEX feedback_by_time ON feedback (created_at);
CREATE INDEX feedback_by_user ON feedback ("user");
INSERT INTO feedback VALUES ('f1', 'd1', 'u1', 'score', 4, 'fine', 1790000004);

CREATE TABLE erasures (subject TEXT NOT NULL PRIMARY KEY, erased_at DOUBLE PRECISION NOT NULL);

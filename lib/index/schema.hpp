// The tables of the index: what lists, filters and aggregates need, and nothing else.
//
// Everything here is derived from the records and can be dropped and rebuilt (reindex); a change of
// the schema is a rebuild.
#pragma once

#include <cstdint>

namespace tracelite::index {

// Kinds of term: texts that repeat are kept once, and rows hold their number.
enum class TermKind : std::uint8_t {
  session = 1,
  user = 2,
  tag = 3,
  environment = 4,
  name = 5,
  release = 6,
  version = 7,
  model = 8,
  metadata_key = 9,
};

// Ids: a TEXT, or a BLOB of 8 or 16 bytes for lower-case hex (the same rule as in records).
// Entity keys are 64-bit unsigned numbers, stored as the signed number with the same bits.
// Costs are whole units of 10^-12: an INTEGER where it fits, else a BLOB (model::append_int128).
inline constexpr const char* kSchema = R"sql(
CREATE TABLE term(                    -- uses: its rows in `member`, and a session's own
  id INTEGER PRIMARY KEY,             -- record; counted for sessions, users and tags only
  kind INTEGER NOT NULL,
  text TEXT NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX term_text ON term(kind, text);

CREATE TABLE trace(                   -- one row for each visible trace
  container INTEGER PRIMARY KEY,
  id NOT NULL,
  time_ns INTEGER NOT NULL,           -- its timestamp, or the earliest start of its observations
  name INTEGER, environment INTEGER, release INTEGER, version INTEGER,   -- terms
  has_record INTEGER NOT NULL,        -- 0: derived from its observations
  root INTEGER,                       -- entity key of the root it is derived from
  root_rank INTEGER, root_start_ns INTEGER,   -- 0 without a parent, 1 with; its start
  sums NOT NULL);                     -- of its observations and scores: index/trace_sums.hpp
CREATE INDEX trace_time ON trace(time_ns);

CREATE TABLE observation(             -- clustered by trace: a commit touches few pages
  container INTEGER NOT NULL,
  entity INTEGER NOT NULL,
  start_ns INTEGER NOT NULL,
  duration_ns INTEGER,                -- from start to end, modulo 2^64; NULL: it has not ended
  name INTEGER, model INTEGER, environment INTEGER NOT NULL, version INTEGER,  -- terms
  type INTEGER NOT NULL, level INTEGER NOT NULL,
  has_parent INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
  total_tokens INTEGER,               -- NULL: the sum of the two
  cost NOT NULL,
  PRIMARY KEY(container, entity)) WITHOUT ROWID;
CREATE INDEX observation_time ON observation(start_ns);
CREATE INDEX observation_problem ON observation(level, start_ns, model) WHERE level >= 3;

CREATE TABLE score(
  container INTEGER NOT NULL,         -- of its trace or session
  entity INTEGER NOT NULL,
  time_ns INTEGER NOT NULL,
  id NOT NULL,
  name INTEGER NOT NULL, environment INTEGER NOT NULL,   -- terms
  observation,                        -- the id of its observation, if it has one
  PRIMARY KEY(container, entity)) WITHOUT ROWID;
CREATE INDEX score_time ON score(time_ns);

CREATE TABLE member(                  -- traces by session, user and tag, and a session that has
  term INTEGER NOT NULL,              -- scores by itself; count: how many of the trace and its
  container INTEGER NOT NULL,         -- observations, or of the scores, name it
  count INTEGER NOT NULL,
  PRIMARY KEY(term, container)) WITHOUT ROWID;

CREATE TABLE attribute(               -- metadata: keys at the top level, with their scalar values
  term INTEGER NOT NULL,              -- the key
  value NOT NULL,                     -- text of a scalar, a hash (BLOB) if long, x'' if no scalar
  kind INTEGER NOT NULL,              -- RecordKind
  container INTEGER NOT NULL,
  entity INTEGER NOT NULL,
  PRIMARY KEY(term, value, kind, container, entity)) WITHOUT ROWID;
)sql";

}  // namespace tracelite::index

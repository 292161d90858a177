// The tables of the index: what lists, filters and aggregates need, and nothing else.
//
// Everything here is derived from the records and can be dropped and rebuilt (reindex); a change of
// the schema is a rebuild. So a file says which schema its index has, as SQLite's user_version: the
// page file writes kSchemaVersion there and takes no other. A store that is opened for writing
// makes an index of another version anew (maintain::renew_index), one that is opened read-only
// builds an index in memory (maintain::index_in_memory).
#pragma once

#include <cstdint>

namespace tracelite::index {

// Raised whenever an index must be made anew to be read as it shall be: with a change of kSchema
// (tests/index/schema_test.cpp fails until then), and with one of what its columns mean: numbers
// of enums, the coding of sums and members, hashes.
inline constexpr std::uint32_t kSchemaVersion = 1;

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
// Entity keys have 48 bits, those of the first observations of a trace 31 (record/record_key.hpp).
// Costs are whole units of 10^-12: an INTEGER where it fits, else a BLOB (model::append_int128).

// A trace's time as the keys of `member` have it, in units of 2^kMomentShift nanoseconds from
// kMomentZero: from 2017 to 2036 it takes half as many bytes as the time itself, and it changes
// less often. What falls into one moment is sorted by whoever reads it.
inline constexpr int kMomentShift = 27;  // 134 ms
inline constexpr std::int64_t kMomentZero = std::int64_t{1'800'000'000'000'000'000} >> kMomentShift;
constexpr std::int64_t moment_of(std::int64_t time_ns) {
  return (time_ns >> kMomentShift) - kMomentZero;
}
// The time by which trace_time and observation_time have their rows: two bytes less than the time.
inline constexpr int kTimeShift = 20;  // as the schema says

inline constexpr const char* kSchema = R"sql(
CREATE TABLE term(                    -- uses: the traces it is a member of; of a session also
  id INTEGER PRIMARY KEY,             -- its own scores and record; not counted for other kinds
  kind INTEGER NOT NULL,
  text TEXT NOT NULL,
  uses INTEGER NOT NULL DEFAULT 0);
CREATE TABLE term_hash(               -- finds a term: less than half the size of an index on text
  hash INTEGER NOT NULL,              -- Terms::hash of kind and text
  id INTEGER NOT NULL,
  PRIMARY KEY(hash, id)) WITHOUT ROWID;

CREATE TABLE trace(                   -- one row for each visible trace
  container INTEGER PRIMARY KEY,
  id NOT NULL,
  time_ns INTEGER NOT NULL,           -- its timestamp, or the earliest start of its observations
  name INTEGER, environment INTEGER, release INTEGER, version INTEGER,   -- terms
  has_record INTEGER NOT NULL,        -- 0: derived from its observations
  root INTEGER,                       -- entity key of the root it is derived from
  root_rank INTEGER, root_start_ns INTEGER,   -- 0 without a parent, 1 with; its start
  sums NOT NULL,                      -- of its observations and scores: index/trace_sums.hpp
  members);                           -- sessions, users, tags: index/trace_members.hpp
CREATE INDEX trace_time ON trace(time_ns >> 20, name);   -- by the millisecond, about; the name is
                                                         -- asked without the row

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
CREATE INDEX observation_time ON observation(start_ns >> 20);
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

CREATE TABLE member(                  -- traces by session, user and tag in the order of time: as
  term INTEGER NOT NULL,              -- `trace` says, and written with it
  moment INTEGER NOT NULL,            -- moment_of(trace.time_ns)
  container INTEGER NOT NULL,
  PRIMARY KEY(term, moment, container)) WITHOUT ROWID;

CREATE TABLE group_sums(              -- of sessions and users, one row for each visible one:
  term INTEGER PRIMARY KEY,           -- index/group_sums.hpp
  kind INTEGER NOT NULL,              -- TermKind
  activity INTEGER NOT NULL,          -- activity_rank, cost_rank
  cost INTEGER NOT NULL,
  lead INTEGER NOT NULL,              -- GroupReach
  span INTEGER NOT NULL,
  sums NOT NULL);
CREATE INDEX group_activity ON group_sums(kind, activity);
CREATE INDEX group_cost ON group_sums(kind, cost);

CREATE TABLE day(                     -- observations by the day (UTC) that they began on
  day INTEGER NOT NULL,               -- since 1970
  model INTEGER NOT NULL,             -- a term; 0: without a model
  sums NOT NULL,                      -- index/day_sums.hpp
  PRIMARY KEY(day, model)) WITHOUT ROWID;

CREATE TABLE attribute(               -- metadata: keys at the top level, with their scalar values
  term INTEGER NOT NULL,              -- the key
  value NOT NULL,                     -- text of a scalar, a hash (BLOB) if long, x'' if no scalar
  kind INTEGER NOT NULL,              -- RecordKind
  container INTEGER NOT NULL,
  entity INTEGER NOT NULL,
  PRIMARY KEY(term, value, kind, container, entity)) WITHOUT ROWID;
CREATE TABLE recent_attribute(        -- what small commits brought last, in the order it came: there
  container INTEGER NOT NULL,         -- the keys of an observation touch one page, not one each. A
  kind INTEGER NOT NULL,              -- row is here or in `attribute`: index/attribute_table.hpp
  entity INTEGER NOT NULL,
  term INTEGER NOT NULL,
  value NOT NULL,
  PRIMARY KEY(container, kind, entity, term, value)) WITHOUT ROWID;
)sql";

}  // namespace tracelite::index

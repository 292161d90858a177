// A small file for the tests of queries, written entity by entity, together with what was written.
#pragma once

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "index/index_writer.hpp"
#include "index/page_file.hpp"
#include "model/event.hpp"
#include "payload/payload_store.hpp"
#include "query/query.hpp"
#include "record/entity_store.hpp"
#include "store/environment.hpp"
#include "support/random_seed.hpp"

namespace tracelite::query::test {

using Text = std::optional<std::string>;
using Metadata = std::map<std::string, std::string>;  // key to JSON text

struct TraceSpec {
  std::string id;
  std::int64_t time_ns = 0;
  Text name, user, session, release, version, environment;
  std::vector<std::string> tags;
  Metadata metadata;
  std::string input;  // JSON, or empty
  std::optional<bool> bookmarked;
  bool flags_only = false;  // nothing but the flag is written
};

struct ObservationSpec {
  std::string trace_id;  // empty: trace-less
  std::string id;
  Text parent;
  model::ObservationType type = model::ObservationType::span;
  model::Level level = model::Level::normal;
  std::int64_t start_ns = 0;
  std::optional<std::int64_t> end_ns;
  Text name, model, version, environment, user, session;
  Metadata metadata;
  std::string input, output;
  std::uint64_t input_tokens = 0, output_tokens = 0;
  model::Int128 cost = 0;
};

struct ScoreSpec {
  std::string trace_id, observation_id, session_id, id, name;
  std::int64_t time_ns = 0;
  Text environment;
  Metadata metadata;
};

struct SessionSpec {
  std::string id;
  bool bookmarked = false;
};

// Takes the value out of a Result, or stops the test with its message.
template <class T>
T must(Result<T> result) {
  if (!result) BOOST_FAIL("unexpected error: " + result.error().message);
  return std::move(result).value();
}
inline void must(const Status& status) {
  if (!status) BOOST_FAIL("unexpected error: " + status.error().message);
}

class World {
 public:
  explicit World(std::size_t map_size_bytes = std::size_t{1} << 30);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Everything added by `work` is one commit. The second retries after the map was full.
  void commit(const std::function<void()>& work);
  Status try_commit(const std::function<Status()>& work);
  void add(const TraceSpec& spec);
  void add(const ObservationSpec& spec);
  void add(const ScoreSpec& spec);
  void add(const SessionSpec& spec);
  Status try_add(const TraceSpec& spec);
  Status try_add(const ObservationSpec& spec);
  // The trace-less events of an observation that a trace has been named for: `named` is in its
  // trace, `loose` is what no event named one for.
  void add_settled(const ObservationSpec& named, const ObservationSpec& loose);
  void erase_observation(const ObservationSpec& spec);
  // Within a commit: metadata added until now lies in `attribute`, and what follows apart from it.
  void merge_metadata();
  // Damage: the record goes, its index row stays.
  void lose_record(const ObservationSpec& spec);

  [[nodiscard]] std::shared_ptr<Snapshot> snapshot() const;
  [[nodiscard]] const std::shared_ptr<store::Environment>& environment() const {
    return environment_;
  }
  [[nodiscard]] record::ContainerNumber container_of(Bytes trace_id);

  std::vector<TraceSpec> traces;
  std::vector<ObservationSpec> observations;
  std::vector<ScoreSpec> scores;
  std::vector<SessionSpec> sessions;

 private:
  struct Sink;
  void open_writer();
  Result<record::ContainerNumber> container(record::DirectoryKind kind, const std::string& id);
  Status put_observation(const record::RecordKey& key, Bytes container_id, model::Entity& entity,
                         const model::Entity& visible, const Metadata& metadata);

  std::filesystem::path folder_;
  std::shared_ptr<store::Environment> environment_;
  std::unique_ptr<index::Connection> connection_;
  std::unique_ptr<index::IndexWriter> index_;
  payload::PayloadWriter payloads_;
  store::WriteTransaction* transaction_ = nullptr;
  std::int64_t clock_ns_ = 1'000'000'000;
};

// All rows of a cursor.
std::vector<Row> rows(Cursor& cursor);
inline std::vector<Row> rows(Result<std::unique_ptr<Cursor>> cursor) {
  return rows(*must(std::move(cursor)));
}
// The code of what must fail.
Code failure(const Result<std::unique_ptr<Cursor>>& cursor);

// A row in one word: "trace/observation", "trace", "score", "key".
std::string name_of(const Row& row);
std::vector<std::string> names_of(const std::vector<Row>& rows);

}  // namespace tracelite::query::test

// What every list must answer, worked out from the specifications one by one: slow and plain.
#pragma once

#include "world.hpp"

namespace tracelite::query::test {

// A trace as readers see it.
struct SeenTrace {
  std::string id;
  const TraceSpec* record = nullptr;  // nullptr, or its flags only: derived
  const ObservationSpec* root = nullptr;
  std::vector<const ObservationSpec*> observations;
  std::vector<const ScoreSpec*> scores;
  std::int64_t time_ns = 0;

  [[nodiscard]] bool is_derived() const { return record == nullptr || record->flags_only; }
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string environment() const;
  [[nodiscard]] bool names_session(const std::string& session) const;
  [[nodiscard]] bool names_user(const std::string& user) const;
};

class Oracle {
 public:
  explicit Oracle(const World& world);

  // Names (name_of) in the order of the list.
  [[nodiscard]] std::vector<std::string> list(Kind kind, const Filter& filter,
                                              ListOrder order) const;
  [[nodiscard]] std::vector<Aggregate> groups(Kind kind, const Filter& filter,
                                              ListOrder order) const;
  [[nodiscard]] Aggregate sums(const SeenTrace& trace) const;
  [[nodiscard]] const std::vector<SeenTrace>& traces() const { return traces_; }
  [[nodiscard]] const SeenTrace* trace(const std::string& id) const;

 private:
  [[nodiscard]] bool selects(const Filter& filter, const SeenTrace& trace) const;
  [[nodiscard]] bool selects(const Filter& filter, const SeenTrace& trace,
                             const ObservationSpec& observation) const;
  [[nodiscard]] bool selects(const Filter& filter, const ScoreSpec& score) const;
  [[nodiscard]] std::vector<std::string> keys_of(Kind kind, const SeenTrace& trace) const;

  const World& world_;
  std::vector<SeenTrace> traces_;
};

// All fields of an aggregate, for messages and comparisons.
std::string describe(const Aggregate& sums);

}  // namespace tracelite::query::test

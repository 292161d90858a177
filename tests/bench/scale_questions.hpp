// What is asked of a large file: of tracelite and, as well as it can be done, of SQLite by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/scale_make.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {

// What an answer says, to be compared between the sides.
struct Answer {
  std::vector<std::string> keys;
  std::vector<double> numbers;
};
// Throws if they differ: other keys, or sums that differ by more than rounding.
void require_same(const std::string& question, const Answer& a, const Answer& b);

struct ScaleQuestion {
  // Asks once. `number` counts the repetitions, so that ids differ between them. What was answered
  // goes to `answer` unless that is nullptr, as it is while the time is taken.
  using Ask = std::function<void(std::size_t number, Answer* answer)>;
  enum class Kind : std::uint8_t { list, aggregate, worst_case };

  std::string name;
  Kind kind = Kind::list;
  Ask tracelite;
  Ask sqlite;
  Ask sqlite_with_sums;  // with all that a row of tracelite has; may be empty
  std::string matching;  // SQL that counts what the filter matches; may be empty
};

class ScaleQuestions {
 public:
  explicit ScaleQuestions(const ScaleFiles& files);

  [[nodiscard]] const std::vector<ScaleQuestion>& all() const { return questions_; }
  // How many rows a question's filter matches; 0 where it has none.
  [[nodiscard]] std::uint64_t matching(const ScaleQuestion& question);

 private:
  static constexpr std::uint64_t kPageRowCount = 50;

  void add_trace_lists();
  void add_observation_list();
  void add_session_lists();
  void add_costliest_sessions();
  void add_daily_sums();
  void add_single_things();
  void add_traces(const std::string& name, const tl_filter& where, const std::string& from_where,
                  const std::vector<std::string>& parameters,
                  ScaleQuestion::Kind kind = ScaleQuestion::Kind::list);
  void add_sessions_page(std::uint64_t page);
  std::shared_ptr<SqliteStatement> prepare(const std::string& sql);
  std::vector<std::string> spread_ids(const char* table, std::uint64_t row_count);

  const ScaleFiles files_;
  tracelite::Store store_;
  SqliteByHand db_;
  std::vector<ScaleQuestion> questions_;
};

}  // namespace bench

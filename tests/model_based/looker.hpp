// Reads the file as an application would, and compares what it says with what must be there.
#pragma once

#include <functional>
#include <string>

#include "model_based/world.hpp"

namespace tracelite::model_based {

// A store that is open for reading.
class Looker {
 public:
  explicit Looker(const std::string& path);
  ~Looker();
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  [[nodiscard]] tl_store* store() const { return store_; }
  // Everything, or through a snapshot.
  [[nodiscard]] World read_all(tl_snapshot* snapshot = nullptr) const;
  void check() const;
  void expect(const World& wanted, tl_snapshot* snapshot = nullptr) const;

  // Against `wanted`, which must be what the file has now.
  void browse(const World& wanted, const Step& step) const;
  void walk(const World& wanted, const Step& step) const;
  void get(const World& wanted, const Step& step) const;
  void count(const World& wanted) const;
  // Whether the changes behind the position name these, as far as they are still there.
  void expect_changes(const World& wanted, const std::set<Key>& changed,
                      std::uint64_t& position) const;
  [[nodiscard]] std::uint64_t position() const;

 private:
  void each_row(tl_cursor* cursor, const std::function<void(const tl_row&)>& row) const;

  tl_store* store_ = nullptr;
};

}  // namespace tracelite::model_based

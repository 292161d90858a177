// Reads the file as an application would, and compares what it says with what must be there.
#pragma once

#include <functional>
#include <string>

#include "model_based/world.hpp"

namespace tracelite::model_based {

// Everything, or through a snapshot.
World read_all(tl_store* store, tl_snapshot* snapshot = nullptr);

// A store that is open for reading.
class Looker {
 public:
  explicit Looker(const std::string& path);
  ~Looker();
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  [[nodiscard]] tl_store* store() const { return store_; }
  [[nodiscard]] World read_all(tl_snapshot* snapshot = nullptr) const {
    return model_based::read_all(store_, snapshot);
  }
  void check() const;
  // Of traces, also of those that only observations name.
  [[nodiscard]] std::map<std::string, std::int64_t> times() const;
  [[nodiscard]] bool has_dictionaries() const;
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
  tl_store* store_ = nullptr;
};

}  // namespace tracelite::model_based

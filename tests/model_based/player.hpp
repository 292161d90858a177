// A process that has the file open for writing and does what it is told, step by step.
#pragma once

#include <memory>
#include <string>

#include "model_based/world.hpp"
#include "store/helpers.hpp"

namespace tracelite::model_based {

class Player {
 public:
  explicit Player(const std::string& path);
  // Tells it to close, unless it was killed.
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  void tell(const Step& step);
  // Waits until it has done the step that it was told first, and gives its answer. Throws Broken if
  // that failed.
  tl_status wait();
  tl_status play(const Step& step) {
    tell(step);
    return wait();
  }
  void quit();
  void kill();

 private:
  store::test::Line told_;
  store::test::Line done_;
  std::unique_ptr<store::test::Child> child_;
};

}  // namespace tracelite::model_based

// The options that select what a command works on, and their way into a tl_filter.
//
// Knows the names of the options and of the model's types and levels. Must not know the commands.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tracelite/tracelite.h"

namespace cli {

// The texts that tl_filter points into; it must outlive the filters made from it.
struct Selection {
  std::optional<std::string> trace, session, user, environment, name, release, version, model;
  std::optional<std::string> metadata, from, to;
  std::vector<std::string> tags;
  tl_level level = TL_LEVEL_ANY;
  tl_type type = TL_TYPE_ANY;

  void add_options(CLI::App& command);
  [[nodiscard]] bool is_empty() const;
  // Valid until the Selection changes or goes.
  [[nodiscard]] tl_filter filter();

 private:
  std::vector<tl_text> tag_texts_;
};

}  // namespace cli

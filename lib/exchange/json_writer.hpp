// Writes one compact JSON object, member by member.
#pragma once

#include <string>

#include "model/bytes.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::exchange {

class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }

  void text(Bytes name, Bytes text) { payload::append_json_string(start(name), text); }
  // A value that is JSON already, on one line.
  void raw(Bytes name, Bytes json) { start(name).append(json); }
  void flag(Bytes name, bool value) { raw(name, value ? "true" : "false"); }
  // Where to append the value of a member.
  std::string& start(Bytes name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    payload::append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }
  void finish() { out_.push_back('}'); }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace tracelite::exchange

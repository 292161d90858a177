// What payloads turn out to be: found on the writer's side, so that whoever records does not wait
// for it, or by a caller who would have to wait for the writer anyway.
//
// Knows forms and JSON; must not know the queue. Nothing is lost here: what is not what it was said
// to be is kept in a form that it is.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "model/queued_event.hpp"

namespace tracelite::ingest {

class GivenChecker : public model::PayloadChecker {
 public:
  using Tell = std::function<void(const std::string& field, const std::string& message)>;
  // `tell` hears once of each payload that was repaired.
  explicit GivenChecker(Tell tell) : tell_(std::move(tell)) {}

  // JSON that is none becomes text, text that is no UTF-8 becomes bytes, and metadata an object.
  void check(model::Field field, model::Form& form, Bytes& bytes, std::string& own) override;

 private:
  Tell tell_;
};

}  // namespace tracelite::ingest

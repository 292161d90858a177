// What the writer makes of an event that was built here, for tests that look at it without a store.
#pragma once

#include <cstdint>
#include <string>

#include "model/event.hpp"
#include "model/queued_event.hpp"

namespace tracelite::test {

// For payloads that are known to be what they are said to be.
class NothingToCheck : public model::PayloadChecker {
 public:
  void check(model::Field /*field*/, model::Form& /*form*/, Bytes& /*bytes*/,
             std::string& /*own*/) override {}
};

// Of a sealed one.
inline Result<model::Event> assembled(const model::EventBuilder& sealed) {
  std::string queued(sealed.size_bytes(), '\0');
  sealed.write(queued.data());
  NothingToCheck checker;
  return model::assemble(queued, checker);
}

inline Result<model::Event> finish(model::EventBuilder& builder, std::int64_t event_time_ns) {
  TL_TRY(builder.seal(event_time_ns));
  return assembled(builder);
}

}  // namespace tracelite::test

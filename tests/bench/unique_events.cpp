#include "bench/unique_events.hpp"

namespace bench {
namespace {

constexpr std::uint64_t kObservationsOfTrace = 10;

tl_text text_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

tl_text UniqueEvents::hex(std::size_t digits) {
  auto* const to = static_cast<char*>(memory_.allocate(digits, 1));
  for (std::size_t i = 0; i < digits; ++i) to[i] = "0123456789abcdef"[random_() & 15];
  return {to, digits};
}

tl_text UniqueEvents::noise(std::size_t size_bytes) {
  auto* const to = static_cast<char*>(memory_.allocate(size_bytes, 1));
  for (std::size_t i = 0; i < size_bytes;) {
    std::uint64_t rest = random_();
    for (int j = 0; j < 10 && i < size_bytes; ++j, rest >>= 6) {
      to[i++] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[rest & 63];
    }
  }
  to[0] = to[size_bytes - 1] = '"';  // a string of JSON
  return {to, size_bytes};
}

UniqueEvents::UniqueEvents(std::uint64_t observation_count, std::size_t payload_size_bytes) {
  events_.reserve(observation_count);
  tl_text trace{};
  for (std::uint64_t i = 0; i < observation_count; ++i) {
    if (i % kObservationsOfTrace == 0) trace = hex(32);
    Event& event = events_.emplace_back();
    auto& made = event.entity.emplace<tl_observation>();
    made.struct_size = sizeof made;
    made.id = hex(16);
    made.trace_id = trace;
    made.type = TL_TYPE_GENERATION;
    event.type_name = text_of("GENERATION");
    made.name = text_of("generate answer");
    made.model = text_of("gpt-4o-mini");
    made.start_time_ns = 1'760'000'000'000'000'000 + static_cast<std::int64_t>(i) * 1'000'000;
    made.end_time_ns = made.start_time_ns + 900'000;
    made.input = {TL_FORM_JSON, noise(payload_size_bytes)};
    made.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_NAME) |
                    TL_BIT(TL_FIELD_MODEL) | TL_BIT(TL_FIELD_START_TIME) |
                    TL_BIT(TL_FIELD_END_TIME) | TL_BIT(TL_FIELD_INPUT);
  }
}

}  // namespace bench

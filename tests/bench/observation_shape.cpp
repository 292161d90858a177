#include "bench/observation_shape.hpp"

#include <algorithm>

namespace bench {
namespace {

tl_text text_of(const std::string& text) { return {text.data(), text.size()}; }

tl_payload json_of(const std::string& text) { return {TL_FORM_JSON, text_of(text)}; }

std::string message(std::size_t size_bytes) {
  const std::string head = R"([{"role":"user","content":")";
  const std::string tail = R"("}])";
  std::string text = head;
  while (text.size() + tail.size() < size_bytes) text += "What is the weather like today? ";
  text.resize(std::max(head.size(), size_bytes - std::min(size_bytes, tail.size())));
  return text + tail;
}

std::string hex(std::uint64_t number, std::size_t digits) {
  std::string text(digits, '0');
  // Spread, as random ids are.
  std::uint64_t left = (number + 1) * 0x9e3779b97f4a7c15;
  for (std::size_t i = 0; i < digits; ++i, left = left >> 4 | left << 60) {
    text[i] = "0123456789abcdef"[left & 15];
  }
  return text;
}

}  // namespace

ObservationShape::ObservationShape(std::size_t payload_size_bytes)
    : input_(message(payload_size_bytes)), output_(message(payload_size_bytes)) {
  metadata_ = "{";
  for (int i = 0; i < 10; ++i) {
    const std::string key = "attribute." + std::to_string(i);
    metadata_ += (i == 0 ? "\"" : ",\"") + key + "\":\"value " + std::to_string(i) + "\"";
  }
  metadata_ += "}";
  static const std::string kName = "generate answer";
  static const std::string kModel = "gpt-4o-mini";
  observation_.struct_size = sizeof observation_;
  observation_.set_mask = TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_NAME) |
                          TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_END_TIME) |
                          TL_BIT(TL_FIELD_MODEL) | TL_BIT(TL_FIELD_INPUT) |
                          TL_BIT(TL_FIELD_OUTPUT) | TL_BIT(TL_FIELD_METADATA);
  observation_.type = TL_TYPE_GENERATION;
  observation_.name = text_of(kName);
  observation_.model = text_of(kModel);
  observation_.start_time_ns = 1'760'000'000'000'000'000;
  observation_.input = json_of(input_);
  observation_.output = json_of(output_);
  observation_.metadata = json_of(metadata_);
}

void ObservationShape::count() {
  id_ = hex(number_, 16);
  trace_id_ = hex(number_ / 10, 32);
  ++number_;
  observation_.id = text_of(id_);
  observation_.trace_id = text_of(trace_id_);
  observation_.start_time_ns += 1'000'000;
  observation_.end_time_ns = observation_.start_time_ns + 900'000;
}

const tl_observation* ObservationShape::next() {
  count();
  return &observation_;
}

const Event& ObservationShape::next_event() {
  count();
  static const std::string kType = "GENERATION";
  event_.entity = observation_;
  event_.type_name = text_of(kType);
  return event_;
}

}  // namespace bench

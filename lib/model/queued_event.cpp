// Writing an event in one copy, and making it whole on the other side.
#include "model/queued_event.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "model/event.hpp"

namespace tracelite::model {
namespace {

// Of what lies in memory only.
template <class Struct>
void copy_to(char*& out, const Struct& value) {
  std::memcpy(out, &value, sizeof value);
  out += sizeof value;
}
void copy_to(char*& out, Bytes bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  out += bytes.size();
}
template <class Struct>
Struct take(Bytes& bytes) {
  Struct value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

// `json` has been checked.
bool is_json_null(Bytes json) {
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  return first != Bytes::npos && json[first] == 'n';
}

// XXH3 over what the event says, in field order: of long values over their own hash, so that
// nothing is copied.
std::uint64_t digest_of(const Event& event) {
  std::string canonical;
  append_text(canonical, event.trace_id);
  for (const Register& reg : event.entity.registers) {
    canonical.push_back(static_cast<char>(reg.field));
    canonical.push_back(static_cast<char>(reg.flags));
    append_varint(canonical, reg.value.size());
    if (reg.value.size() <= sizeof(XXH128_hash_t)) {
      canonical.append(reg.value);
    } else {
      const XXH128_hash_t hash = XXH3_128bits(reg.value.data(), reg.value.size());
      append_big_endian(canonical, hash.high64);
      append_big_endian(canonical, hash.low64);
    }
  }
  return XXH3_64bits(canonical.data(), canonical.size());
}

Register register_of(const Part& part, PayloadChecker& checker) {
  const auto field = static_cast<Field>(part.head.field);
  if ((part.head.flags & PartHead::kNumber) != 0) {
    std::int64_t number = 0;
    std::memcpy(&number, part.bytes.data(), std::min(sizeof number, part.bytes.size()));
    std::string value;
    append_varint(value, zigzag(number));
    return {field, static_cast<std::uint8_t>(part.head.flags & ~PartHead::kNumber), 0, value};
  }
  if ((part.head.flags & PartHead::kGiven) == 0) {
    return {field, part.head.flags, 0, std::string(part.bytes)};
  }
  Form form = part.head.form;
  Bytes bytes = part.bytes;
  std::string own;
  if ((part.head.flags & PartHead::kUnchecked) != 0) checker.check(field, form, bytes, own);
  if (field == Field::metadata &&
      (form == Form::null || (form == Form::json && is_json_null(bytes)))) {
    return {field, Register::kCleared, 0, {}};
  }
  auto flags =
      static_cast<std::uint8_t>(part.head.flags & ~(PartHead::kGiven | PartHead::kUnchecked));
  if (is_weak_payload(form, bytes)) flags |= Register::kWeak;
  return {field, flags, 0, PayloadValue::encode_inline(form, bytes)};
}

}  // namespace

std::size_t queued_size_bytes(Bytes parts, std::span<const GivenPayload> payloads) {
  std::size_t size_bytes = sizeof(QueuedHead) + parts.size();
  for (const GivenPayload& payload : payloads) {
    size_bytes += sizeof(PartHead) + payload.bytes().size();
  }
  return size_bytes;
}

void write_queued(const QueuedHead& head, Bytes parts, std::span<const GivenPayload> payloads,
                  char* out) {
  copy_to(out, head);
  copy_to(out, parts);
  for (const GivenPayload& payload : payloads) {
    PartHead own_head = payload.head;
    own_head.size_bytes = payload.bytes().size();
    copy_to(out, own_head);
    copy_to(out, payload.bytes());
  }
}

Part take_part(Bytes& parts) {
  Part part;
  part.head = take<PartHead>(parts);
  part.bytes = parts.substr(0, static_cast<std::size_t>(part.head.size_bytes));
  parts.remove_prefix(part.bytes.size());
  return part;
}

Result<Event> assemble(Bytes queued, PayloadChecker& checker) {
  if (queued.size() < sizeof(QueuedHead)) {
    return make_error(Code::corrupt, "a queued event is cut off");
  }
  const auto head = take<QueuedHead>(queued);
  Event event;
  Entity& entity = event.entity;
  entity.kind = head.kind;
  while (!queued.empty()) {
    if (queued.size() < sizeof(PartHead)) {
      return make_error(Code::corrupt, "a queued event is cut off");
    }
    const Part part = take_part(queued);
    if (part.bytes.size() != part.head.size_bytes) {
      return make_error(Code::corrupt, "a queued event is cut off");
    }
    if (part.head.field == PartHead::kId) {
      entity.id = part.bytes;
    } else if (part.head.field == PartHead::kTraceId) {
      event.trace_id = part.bytes;
    } else if (part.head.field >= kFieldCount || part.head.form > Form::withheld) {
      return make_error(Code::corrupt, "a queued event has a field that does not exist");
    } else {
      std::erase_if(entity.registers, [&](const Register& reg) {
        return reg.field == static_cast<Field>(part.head.field);
      });
      entity.registers.push_back(register_of(part, checker));
    }
  }
  std::sort(entity.registers.begin(), entity.registers.end(),
            [](const Register& a, const Register& b) { return a.field < b.field; });
  Order order{head.event_time_ns, head.is_update, head.event_time_ns, digest_of(event)};
  const Register* own_time =
      entity.find(entity.kind == EntityKind::observation ? Field::start_time : Field::timestamp);
  if (own_time != nullptr) order.body_time_ns = ByteReader(own_time->value).signed_varint();
  entity.orders = {order};
  return event;
}

}  // namespace tracelite::model

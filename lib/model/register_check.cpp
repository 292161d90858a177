// One check a coding; see event.hpp for the codings.
#include "model/register_check.hpp"

#include "model/decimal.hpp"
#include "model/event.hpp"
#include "model/media.hpp"

namespace tracelite::model {
namespace {

bool is_read_whole(const ByteReader& reader) { return reader.at_end() && !reader.failed(); }

bool is_varint(Bytes value) {
  ByteReader reader(value);
  reader.varint();
  return is_read_whole(reader);
}

bool is_number_from(Bytes value, std::uint8_t least, std::uint8_t count) {
  if (value.size() != 1) return false;
  const auto number = static_cast<std::uint8_t>(value.front());
  return number >= least && number - least < count;
}

// Names that ascend, each followed by what `read_amount` reads; it returns false if out of range.
template <class ReadAmount>
bool is_sorted_list(Bytes value, ReadAmount read_amount) {
  ByteReader reader(value);
  Bytes last;
  while (!reader.at_end()) {
    const Bytes name = reader.text();
    if (reader.failed() || name.empty() || name <= last) return false;
    last = name;
    if (!read_amount(reader)) return false;
  }
  return !value.empty() && is_read_whole(reader);
}

// References lie within the stored bytes, and the sizes add up.
bool has_sound_media(const PayloadValue& value) {
  if (value.form != Form::json && value.form != Form::text) return false;
  MediaWalker walker(value.media_list);
  std::uint64_t given_size_bytes = value.stored_size_bytes;
  std::uint64_t end = 0;
  while (walker.next()) {
    given_size_bytes += walker.use().given_size_bytes - walker.use().reference_size_bytes();
    end = walker.use().end();
  }
  return !walker.failed() && end <= value.stored_size_bytes && given_size_bytes == value.size_bytes;
}

bool is_payload_value(const Register& reg) {
  ByteReader reader(reg.value);
  const std::uint8_t form = reader.byte();
  const std::uint8_t storage = reader.byte();
  if (form < static_cast<std::uint8_t>(Form::null) ||
      form > static_cast<std::uint8_t>(Form::withheld) || storage > 3 || reader.failed()) {
    return false;
  }
  const bool has_media = (storage & 2U) != 0;
  if (has_media) {
    reader.varint();
    if (reader.text().empty()) return false;
  }
  if ((storage & 1U) != 0) {
    reader.varint();
    reader.varint();
    if (!is_read_whole(reader)) return false;
  } else if (form == static_cast<std::uint8_t>(Form::withheld)) {
    return false;
  }
  return !has_media || has_sound_media(PayloadValue::decode(reg.value));
}

bool is_subject(Bytes value) {
  ByteReader reader(value);
  switch (static_cast<SubjectKind>(reader.byte())) {
    case SubjectKind::trace:
      return !read_id(reader).empty() && is_read_whole(reader);
    case SubjectKind::observation:
      return !read_id(reader).empty() && !read_id(reader).empty() && is_read_whole(reader);
    case SubjectKind::session:
      return !reader.text().empty() && is_read_whole(reader);
    default:
      return false;
  }
}

bool has_sound_flags(const Register& reg) {
  constexpr unsigned kAll =
      Register::kCleared | Register::kWeak | Register::kStreamed | Register::kTree;
  if ((reg.flags & ~kAll) != 0) return false;
  if (reg.tree() && (reg.field != Field::metadata || reg.weak() || reg.cleared())) return false;
  if (reg.streamed() && (!is_payload(reg.field) || reg.field == Field::metadata)) return false;
  return !reg.cleared() || (!reg.weak() && reg.value.empty());
}

bool has_sound_value(const Register& reg) {
  switch (reg.field) {
    case Field::timestamp:
    case Field::start_time:
    case Field::end_time:
    case Field::completion_start_time:
    case Field::prompt_version:
      return is_varint(reg.value);
    case Field::is_public:
    case Field::is_bookmarked:
      return is_number_from(reg.value, 0, 2);
    case Field::type:
      return is_number_from(reg.value, 1, kObservationTypeCount);
    case Field::level:
      return is_number_from(reg.value, 1, kLevelCount);
    case Field::data_type:
      return is_number_from(reg.value, 1, kDataTypeCount);
    case Field::source:
      return is_number_from(reg.value, 0, kSourceCount);
    case Field::value:
      return reg.value.size() == sizeof(double);
    case Field::tags:
      return is_sorted_list(reg.value, [](ByteReader& /*reader*/) { return true; });
    case Field::usage_details:
      return is_sorted_list(reg.value, [](ByteReader& reader) {
        reader.varint();
        return true;
      });
    case Field::cost_details:
      return is_sorted_list(reg.value, [](ByteReader& reader) {
        const Int128 units = read_int128(reader);
        return units <= kCostUnitsMax && units >= -kCostUnitsMax;
      });
    case Field::input:
    case Field::output:
    case Field::metadata:
      return is_payload_value(reg);
    case Field::subject:
      return is_subject(reg.value);
    case Field::observation_id:
      return false;  // part of subject
    default:
      return true;  // text
  }
}

}  // namespace

bool is_sound(const Register& reg) {
  return has_sound_flags(reg) && (reg.cleared() || has_sound_value(reg));
}

}  // namespace tracelite::model

// Coding of records, and the join of two of them.
#include "model/entity.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "model/limits.hpp"
#include "model/register_check.hpp"

namespace tracelite::model {
namespace {

constexpr std::uint8_t kHasStrayFlag = 1;
constexpr std::uint8_t kStoredFlag = 1;
constexpr std::uint8_t kMediaFlag = 2;

void start_payload(std::string& value, Form form, std::uint8_t storage, const PayloadMedia& media) {
  value.push_back(static_cast<char>(form));
  value.push_back(static_cast<char>(storage | (media.list.empty() ? 0U : kMediaFlag)));
  if (media.list.empty()) return;
  append_varint(value, media.given_size_bytes);
  append_text(value, media.list);
}

bool is_lower_hex(Bytes text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

unsigned hex_digit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

// The registers of both entities with their orders spelled out, before the order table is rebuilt.
struct Written {
  Register reg;
  Order order;
};

// True if `b` takes the place of `a`. Both are of one field; equal orders mean the same event.
bool wins(const Written& b, const Written& a) {
  if (a.reg.weak() != b.reg.weak()) return a.reg.weak();
  if (a.order == b.order) return false;
  const bool later = a.order < b.order;
  return merge_rule(a.reg.field) == MergeRule::least ? !later : later;
}

std::string unite_tags(Bytes a, Bytes b) {
  std::set<std::string> tags;
  for (ByteReader reader : {ByteReader(a), ByteReader(b)}) {
    while (!reader.at_end()) tags.emplace(reader.text());
  }
  std::string out;
  for (const std::string& tag : tags) append_text(out, tag);
  return out;
}

bool is_weak_root(const Written& written) { return written.reg.weak() && !written.reg.tree(); }

Result<MetadataTree> tree_of(const Written& written, MetadataSource& source) {
  if (!written.reg.cleared()) return source.read(written.reg, written.order);
  MetadataTree tree;
  tree.add({{}, written.order, false, true, {}});
  return tree;
}

Result<Written> join_metadata(const Written& a, const Written& b, MetadataSource& source) {
  if (!a.reg.tree() && !b.reg.tree()) {
    if (a.order == b.order) return a;
    if (is_weak_root(a) || is_weak_root(b)) return wins(b, a) ? b : a;
  }
  TL_TRY_ASSIGN(tree_a, tree_of(a, source));
  TL_TRY_ASSIGN(tree_b, tree_of(b, source));
  Written joined;
  joined.reg.field = Field::metadata;
  joined.reg.flags = Register::kTree;
  const MetadataTree tree = MetadataTree::join(tree_a, tree_b);
  if (a.reg.tree() && tree.leaves() == tree_a.leaves()) return a;
  if (b.reg.tree() && tree.leaves() == tree_b.leaves()) return b;
  joined.reg.value = PayloadValue::encode_inline(Form::json, tree.encode());
  joined.order = tree.last_order();
  return joined;
}

// Appends of one live observation in one batch: the later text goes behind the earlier one.
Written join_streamed(const Written& a, const Written& b) {
  const Written& first = a.order < b.order ? a : b;
  const Written& second = a.order < b.order ? b : a;
  const PayloadValue head = PayloadValue::decode(first.reg.value);
  const PayloadValue tail = PayloadValue::decode(second.reg.value);
  Written joined = second;
  std::string text(head.bytes);
  text.append(tail.bytes);
  joined.reg.value = PayloadValue::encode_inline(tail.form, text);
  return joined;
}

bool both_inline_streams(const Written& a, const Written& b) {
  return a.reg.streamed() && b.reg.streamed() && a.order != b.order &&
         !PayloadValue::decode(a.reg.value).is_stored &&
         !PayloadValue::decode(b.reg.value).is_stored;
}

Result<Written> join_register(const Written& a, const Written& b, MetadataSource& source) {
  switch (merge_rule(a.reg.field)) {
    case MergeRule::unite: {
      Written joined = a;
      joined.reg.value = unite_tags(a.reg.value, b.reg.value);
      joined.order = std::min(a.order, b.order);
      return joined;
    }
    case MergeRule::deep:
      return join_metadata(a, b, source);
    default:
      if (both_inline_streams(a, b)) return join_streamed(a, b);
      return wins(b, a) ? b : a;
  }
}

std::vector<Written> spell_out(const Entity& entity) {
  std::vector<Written> all;
  all.reserve(entity.registers.size());
  for (const Register& reg : entity.registers) all.push_back({reg, entity.order_of(reg)});
  return all;
}

void encode_order(const Order& order, std::int64_t base_ns, std::string& out) {
  append_varint(out, zigzag(wrapping_subtract(order.event_time_ns, base_ns)));
  out.push_back(order.is_update ? '\1' : '\0');
  append_varint(out, zigzag(wrapping_subtract(order.body_time_ns, order.event_time_ns)));
  append_big_endian(out, order.digest);
}

Order read_order(ByteReader& reader, std::int64_t base_ns) {
  Order order;
  order.event_time_ns = wrapping_add(base_ns, reader.signed_varint());
  const std::uint8_t is_update = reader.byte();
  if (is_update > 1) reader.fail();
  order.is_update = is_update != 0;
  order.body_time_ns = wrapping_add(order.event_time_ns, reader.signed_varint());
  order.digest = reader.big_endian(8);
  return order;
}

void read_id_into(ByteReader& reader, std::string& id) {
  static constexpr std::array<char, 17> kHex = {"0123456789abcdef"};
  const std::uint8_t size_bytes = reader.byte();
  if (size_bytes == 0) {
    id = reader.text();
    return;
  }
  if (size_bytes != 8 && size_bytes != 16) reader.fail();
  const Bytes bytes = reader.take(size_bytes);
  id.resize(bytes.size() * 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    id[2 * i] = kHex[static_cast<unsigned char>(bytes[i]) >> 4];
    id[2 * i + 1] = kHex[static_cast<unsigned char>(bytes[i]) & 15];
  }
}

Error damaged() { return make_error(Code::corrupt, "a record is damaged"); }

}  // namespace

PayloadValue PayloadValue::decode(Bytes value) {
  PayloadValue payload;
  ByteReader reader(value);
  payload.form = static_cast<Form>(reader.byte());
  const std::uint8_t storage = reader.byte();
  payload.is_stored = (storage & kStoredFlag) != 0;
  const bool has_media = (storage & kMediaFlag) != 0;
  if (has_media) {
    payload.size_bytes = reader.varint();
    payload.media_list = reader.text();
  }
  if (payload.is_stored) {
    payload.number = reader.varint();
    payload.stored_size_bytes = reader.varint();
  } else {
    payload.bytes = reader.rest();
    payload.stored_size_bytes = payload.bytes.size();
  }
  if (!has_media) payload.size_bytes = payload.stored_size_bytes;
  return payload;
}

std::string PayloadValue::encode_inline(Form form, Bytes bytes, const PayloadMedia& media) {
  std::string value;
  value.reserve(bytes.size() + media.list.size() + 24);
  start_payload(value, form, 0, media);
  value.append(bytes);
  return value;
}

std::string PayloadValue::encode_stored(Form form, std::uint64_t number,
                                        std::uint64_t stored_size_bytes,
                                        const PayloadMedia& media) {
  std::string value;
  start_payload(value, form, kStoredFlag, media);
  append_varint(value, number);
  append_varint(value, stored_size_bytes);
  return value;
}

const Register* Entity::find(Field field) const {
  for (const Register& reg : registers) {
    if (reg.field == field) return &reg;
  }
  return nullptr;
}

Register* Entity::find(Field field) {
  return const_cast<Register*>(std::as_const(*this).find(field));  // NOLINT: one search for both
}

void append_id(std::string& out, Bytes id) {
  if ((id.size() == 32 || id.size() == 16) && is_lower_hex(id)) {
    out.push_back(static_cast<char>(id.size() / 2));
    for (std::size_t i = 0; i < id.size(); i += 2) {
      out.push_back(static_cast<char>(hex_digit(id[i]) << 4 | hex_digit(id[i + 1])));
    }
    return;
  }
  out.push_back('\0');
  append_text(out, id);
}

std::string read_id(ByteReader& reader) {
  std::string id;
  read_id_into(reader, id);
  return id;
}

void encode(const Entity& entity, std::string& out) {
  out.push_back(static_cast<char>(entity.kind));
  out.push_back(static_cast<char>(entity.has_stray ? kHasStrayFlag : 0));
  append_id(out, entity.id);
  append_varint(out, entity.orders.size());
  std::int64_t base_ns = 0;
  for (const Order& order : entity.orders) {
    encode_order(order, base_ns, out);
    base_ns = order.event_time_ns;
  }
  append_varint(out, entity.registers.size());
  for (const Register& reg : entity.registers) {
    out.push_back(static_cast<char>(reg.field));
    out.push_back(static_cast<char>(reg.flags));
    if (entity.orders.size() > 1) append_varint(out, reg.order);
    if (!reg.cleared()) append_text(out, reg.value);
  }
}

Status decode(Bytes record, Entity& entity) {
  ByteReader reader(record);
  const std::uint8_t kind = reader.byte();
  const std::uint8_t flags = reader.byte();
  if (kind < 1 || kind > 4 || flags > kHasStrayFlag) return damaged();
  entity.kind = static_cast<EntityKind>(kind);
  entity.has_stray = flags == kHasStrayFlag;
  read_id_into(reader, entity.id);
  if (entity.id.empty() || entity.id.size() > kIdSizeBytesMax) return damaged();

  entity.orders.clear();
  const std::uint64_t order_count = reader.varint();
  for (std::uint64_t i = 0; i < order_count && !reader.failed(); ++i) {
    const std::int64_t base_ns = entity.orders.empty() ? 0 : entity.last_order().event_time_ns;
    const Order order = read_order(reader, base_ns);
    if (!entity.orders.empty() && order <= entity.last_order()) return damaged();
    entity.orders.push_back(order);
  }
  const std::uint64_t register_count = reader.varint();
  if (register_count > kFieldCount) return damaged();
  entity.registers.resize(static_cast<std::size_t>(register_count));
  int last_field = -1;
  for (Register& reg : entity.registers) {
    const std::uint8_t field = reader.byte();
    if (field >= kFieldCount || field <= last_field) return damaged();
    last_field = field;
    reg.field = static_cast<Field>(field);
    reg.flags = reader.byte();
    const std::uint64_t order = order_count > 1 ? reader.varint() : 0;
    if (order >= order_count) return damaged();
    reg.order = static_cast<std::uint32_t>(order);
    reg.value = reg.cleared() ? Bytes() : reader.text();
    if (reader.failed() || !is_sound(reg)) return damaged();
  }
  if (reader.failed() || !reader.at_end()) return damaged();
  const bool may_be_bare = entity.kind == EntityKind::trace || entity.kind == EntityKind::session;
  if (entity.orders.empty() && (!may_be_bare || !entity.registers.empty())) return damaged();
  return {};
}

Result<Entity> decode(Bytes record) {
  Entity entity;
  TL_TRY(decode(record, entity));
  return entity;
}

Result<Entity> join(const Entity& a, const Entity& b, MetadataSource& source) {
  if (a.orders.empty()) return b;
  if (b.orders.empty()) return a;
  std::vector<Written> of_a = spell_out(a);
  std::vector<Written> of_b = spell_out(b);
  std::vector<Written> joined;
  auto next_a = of_a.begin();
  auto next_b = of_b.begin();
  while (next_a != of_a.end() || next_b != of_b.end()) {
    if (next_b == of_b.end() || (next_a != of_a.end() && next_a->reg.field < next_b->reg.field)) {
      joined.push_back(std::move(*next_a++));
    } else if (next_a == of_a.end() || next_b->reg.field < next_a->reg.field) {
      joined.push_back(std::move(*next_b++));
    } else {
      TL_TRY_ASSIGN(one, join_register(*next_a++, *next_b++, source));
      joined.push_back(std::move(one));
    }
  }

  Entity result;
  result.kind = a.kind;
  result.id = a.id;
  result.has_stray = a.has_stray || b.has_stray;
  std::set<Order> orders = {std::min(a.first_order(), b.first_order()),
                            std::max(a.last_order(), b.last_order())};
  for (const Written& written : joined) orders.insert(written.order);
  result.orders.assign(orders.begin(), orders.end());
  for (Written& written : joined) {
    const auto at = std::lower_bound(result.orders.begin(), result.orders.end(), written.order);
    written.reg.order = static_cast<std::uint32_t>(at - result.orders.begin());
    result.registers.push_back(std::move(written.reg));
  }
  return result;
}

}  // namespace tracelite::model

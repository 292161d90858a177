// Records: what is written comes back; what is damaged is refused or read as something harmless.
#include <boost/test/unit_test.hpp>

#include "random_history.hpp"

namespace tracelite::test {
namespace {

using model::Entity;
using model::EntityKind;
using model::Field;
using model::Register;

Entity random_entity(std::uint64_t seed, DraftedMetadata& source) {
  constexpr EntityKind kKinds[] = {EntityKind::trace, EntityKind::observation, EntityKind::score,
                                   EntityKind::session};
  RandomHistory history(seed, kKinds[seed % 4]);
  Entity entity = history.draft(source).event.entity;
  for (std::size_t more = history.random().below(5); more > 0; --more) {
    entity = value_of(model::join(entity, history.draft(source).event.entity, source));
  }
  static const std::vector<std::string> kIds = {"x",
                                                "0123456789abcdef",
                                                "00000000000000000123456789abcdef",
                                                "0123456789ABCDEF",
                                                "g123456789abcdef",
                                                "0123456789abcde",
                                                "\xe4\xbd\xa0\xe5\xa5\xbd",
                                                std::string(800, 'a')};
  entity.id = history.random().pick(kIds);
  entity.has_stray = entity.kind == EntityKind::observation && history.random().chance(3);
  return entity;
}

// Whatever was decoded, all of it can be read.
void read_all(const Entity& entity) {
  EntityPrinter(entity).show();
  model::payload_size_bytes(entity);
  for (const Register& reg : entity.registers) {
    if (!reg.tree()) continue;
    const auto payload = model::PayloadValue::decode(reg.value);
    if (const auto tree = model::MetadataTree::decode(payload.bytes)) (void)tree->visible();
  }
}

// Reads the entity as far as a damaged record allows; a tree inside may be refused on its own.
void read_damaged(Bytes record) {
  const Result<Entity> entity = model::decode(record);
  if (!entity) {
    BOOST_REQUIRE(entity.error().code == Code::corrupt);
    return;
  }
  for (const Register& reg : entity->registers) {
    if (!reg.tree()) continue;
    const auto payload = model::PayloadValue::decode(reg.value);
    if (!model::MetadataTree::decode(payload.bytes)) return;
  }
  read_all(*entity);
  // And written again, and joined with itself.
  NoMetadata source;
  const auto joined = model::join(*entity, *entity, source);
  if (joined) BOOST_REQUIRE(value_of(model::decode(encoded(*joined))) == *joined);
}

BOOST_AUTO_TEST_CASE(entities_come_back_from_their_records) {
  const std::uint64_t seed = random_seed();
  for (std::size_t i = 0; i < scaled(4'000); ++i) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << i);
    DraftedMetadata source;
    const Entity entity = random_entity(seed + i, source);
    const std::string record = encoded(entity);
    const Entity again = value_of(model::decode(record));
    BOOST_TEST((again == entity));
    BOOST_TEST(encoded(again) == record);
  }
}

BOOST_AUTO_TEST_CASE(every_truncated_record_is_refused) {
  const std::uint64_t seed = random_seed();
  for (std::size_t i = 0; i < scaled(400); ++i) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << i);
    DraftedMetadata source;
    const std::string record = encoded(random_entity(seed + i, source));
    for (std::size_t size = 0; size < record.size(); ++size) {
      const std::string cut = record.substr(0, size);  // its own memory, for the sanitizer
      const auto entity = model::decode(cut);
      BOOST_REQUIRE(!entity);
      BOOST_REQUIRE(entity.error().code == Code::corrupt);
    }
    BOOST_REQUIRE(!model::decode(record + '\0'));
  }
}

BOOST_AUTO_TEST_CASE(flipped_bytes_never_crash) {
  const std::uint64_t seed = random_seed();
  Random random(seed);
  std::vector<std::string> records;
  for (std::size_t i = 0; i < 200; ++i) {
    DraftedMetadata source;
    records.push_back(encoded(random_entity(seed + i, source)));
  }
  static const std::string kNasty("\x00\x01\x02\x08\x10\x1f\x7f\x80\x81\xfe\xff", 11);
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << i);
    std::string record = random.pick(records);
    for (std::size_t flips = 1 + random.below(3); flips > 0; --flips) {
      char& byte = record[random.below(record.size())];
      byte = random.chance(2) ? random.pick(kNasty) : static_cast<char>(random.below(256));
    }
    read_damaged(record);
  }
}

BOOST_AUTO_TEST_CASE(flipped_bytes_in_merged_metadata_never_crash) {
  const std::uint64_t seed = random_seed();
  Random random(seed);
  RandomMetadata metadata(random);
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << i);
    std::string bytes = tree_of(metadata.root(), {1, false, 2, 3}).encode();
    const auto intact = model::MetadataTree::decode(bytes);
    BOOST_REQUIRE(intact);
    BOOST_REQUIRE(intact->encode() == bytes);
    const std::string cut = bytes.substr(0, random.below(bytes.size()));
    BOOST_REQUIRE(!model::MetadataTree::decode(cut));
    for (std::size_t flips = 1 + random.below(3); flips > 0; --flips) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    }
    const auto tree = model::MetadataTree::decode(bytes);
    if (tree) {
      (void)tree->visible();
      BOOST_REQUIRE(model::MetadataTree::join(*tree, *tree).leaves().size() <=
                    tree->leaves().size());
    } else {
      BOOST_REQUIRE(tree.error().code == Code::corrupt);
    }
  }
}

BOOST_AUTO_TEST_CASE(times_at_both_ends_of_the_range_come_back) {
  for (const std::int64_t event_time : {INT64_MIN, INT64_MIN + 1, std::int64_t{0}, INT64_MAX}) {
    for (const std::int64_t body_time : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
      model::EventBuilder builder(EntityKind::trace, false);
      check_ok(builder.id("t"));
      builder.time(Field::timestamp, body_time);
      const Entity entity = value_of(finish(builder, event_time)).entity;
      const Entity again = value_of(model::decode(encoded(entity)));
      BOOST_TEST((again == entity));
      BOOST_TEST(again.first_order().event_time_ns == event_time);
      BOOST_TEST(again.first_order().body_time_ns == body_time);
    }
  }
  Entity both;
  both.kind = EntityKind::trace;
  both.id = "t";
  both.orders = {{INT64_MIN, false, 0, 1}, {INT64_MAX, true, 0, 2}};
  BOOST_TEST((value_of(model::decode(encoded(both))) == both));
}

Entity one_register(Field field, std::string value, std::uint8_t flags = 0) {
  Entity entity;
  entity.kind = EntityKind::observation;
  entity.id = "o";
  entity.orders = {{1, false, 1, 1}};
  entity.registers = {{field, flags, 0, std::move(value)}};
  return entity;
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_refused) {
  const auto refused = [](const Entity& entity) { return !model::decode(encoded(entity)); };
  const std::string nul(1, '\0');
  BOOST_TEST(!refused(one_register(Field::type, "\x0a")));
  BOOST_TEST(refused(one_register(Field::type, "\x0b")));
  BOOST_TEST(refused(one_register(Field::type, nul)));
  BOOST_TEST(refused(one_register(Field::type, "")));
  BOOST_TEST(refused(one_register(Field::type, "\x01\x01")));
  BOOST_TEST(refused(one_register(Field::level, "\x05")));
  BOOST_TEST(refused(one_register(Field::data_type, "\x06")));
  BOOST_TEST(!refused(one_register(Field::source, nul)));
  BOOST_TEST(refused(one_register(Field::source, "\x03")));
  BOOST_TEST(refused(one_register(Field::is_public, "\x02")));
  BOOST_TEST(refused(one_register(Field::start_time, "")));
  BOOST_TEST(refused(one_register(Field::start_time, "\x01\x01")));
  BOOST_TEST(refused(one_register(Field::start_time, "\x80")));
  BOOST_TEST(refused(one_register(Field::value, "1234567")));
  BOOST_TEST(refused(one_register(Field::tags, "")));
  BOOST_TEST(refused(one_register(Field::tags,
                                  "\x01"
                                  "b\x01"
                                  "a")));
  BOOST_TEST(refused(one_register(Field::tags,
                                  "\x01"
                                  "a\x01"
                                  "a")));
  BOOST_TEST(refused(one_register(Field::tags,
                                  "\x05"
                                  "a")));
  BOOST_TEST(refused(one_register(Field::usage_details,
                                  "\x01"
                                  "a")));
  BOOST_TEST(refused(one_register(Field::cost_details,
                                  "\x01"
                                  "a")));
  BOOST_TEST(refused(one_register(Field::cost_details,
                                  "\x01"
                                  "a" +
                                      times(18, "\xff") + "\x01")));
  BOOST_TEST(refused(one_register(Field::input, "")));
  BOOST_TEST(refused(one_register(Field::input, "\x06" + nul)));
  BOOST_TEST(refused(one_register(Field::input, nul + nul)));
  BOOST_TEST(refused(one_register(Field::input, "\x02\x02")));
  BOOST_TEST(refused(one_register(Field::input, "\x02\x01\x01")));
  BOOST_TEST(refused(one_register(Field::subject, "\x04\x01x")));
  BOOST_TEST(refused(one_register(Field::subject, "\x01" + nul + "\x00")));
  BOOST_TEST(refused(one_register(Field::observation_id, "o")));
  BOOST_TEST(refused(one_register(Field::name, "n", 0x10)));
  BOOST_TEST(refused(one_register(Field::name, "n", Register::kTree)));
  BOOST_TEST(refused(one_register(Field::name, "n", Register::kStreamed)));
  BOOST_TEST(refused(one_register(Field::name, "", Register::kCleared | Register::kWeak)));
  BOOST_TEST(!refused(one_register(Field::name, "", Register::kCleared)));
}

BOOST_AUTO_TEST_CASE(structures_that_nothing_writes_are_refused) {
  const auto refused = [](const Entity& entity) { return !model::decode(encoded(entity)); };
  Entity entity = one_register(Field::name, "n");
  BOOST_TEST(!refused(entity));
  entity.orders.push_back(entity.orders[0]);
  BOOST_TEST(refused(entity));  // the same order twice
  entity.orders[1].digest = 0;
  BOOST_TEST(refused(entity));  // descending
  entity.orders[1].digest = 2;
  BOOST_TEST(!refused(entity));
  entity.registers[0].order = 2;
  BOOST_TEST(refused(entity));  // an order that is not there
  entity.registers[0].order = 1;
  entity.registers.push_back(entity.registers[0]);
  BOOST_TEST(refused(entity));  // a field twice
  entity.registers.clear();
  BOOST_TEST(!refused(entity));
  entity.orders.clear();
  BOOST_TEST(refused(entity));  // an observation without an event
  entity.kind = EntityKind::trace;
  BOOST_TEST(!refused(entity));  // the header of a trace that has no event of its own
  entity.id.clear();
  BOOST_TEST(refused(entity));
  entity.id.assign(801, 'a');
  BOOST_TEST(refused(entity));
  std::string record = encoded(one_register(Field::name, "n"));
  record[0] = '\5';
  BOOST_TEST(!model::decode(record));
  record[0] = '\2';
  record[1] = '\2';
  BOOST_TEST(!model::decode(record));
}

BOOST_AUTO_TEST_CASE(metadata_deeper_than_any_that_is_merged_is_refused) {
  for (const std::size_t depth : {std::size_t{64}, std::size_t{65}, std::size_t{100'000}}) {
    model::MetadataLeaf leaf;
    for (std::size_t i = 0; i < depth; ++i) model::append_path_key(leaf.path, "k");
    leaf.json = "1";
    model::MetadataTree tree;
    tree.add(leaf);
    tree.finish();
    BOOST_TEST(model::MetadataTree::decode(tree.encode()).ok() == (depth == 64));
  }
}

BOOST_AUTO_TEST_CASE(w3c_ids_take_half_their_bytes) {
  const auto size_of = [](const std::string& id) {
    std::string out;
    model::append_id(out, id);
    ByteReader reader(out);
    BOOST_TEST(model::read_id(reader) == id);
    BOOST_TEST(reader.at_end());
    BOOST_TEST(!reader.failed());
    return out.size();
  };
  BOOST_TEST(size_of("0123456789abcdef") == 1 + 8U);
  BOOST_TEST(size_of("0123456789abcdef0123456789abcdef") == 1 + 16U);
  BOOST_TEST(size_of("0123456789ABCDEF") == 2 + 16U);  // upper case is kept as it was given
  BOOST_TEST(size_of("0123456789abcdeg") == 2 + 16U);
  BOOST_TEST(size_of("0123456789abcde") == 2 + 15U);
  BOOST_TEST(size_of("0123456789abcdef0") == 2 + 17U);
  BOOST_TEST(size_of("") == 2U);
  BOOST_TEST(size_of(std::string(800, 'f')) == 3 + 800U);
}

}  // namespace
}  // namespace tracelite::test

// How single fields merge, one rule a case; history_test.cpp mixes them at random.
#include <boost/test/unit_test.hpp>
#include <functional>

#include "model/view.hpp"
#include "random_history.hpp"

namespace tracelite::test {
namespace {

using model::Entity;
using model::EntityKind;
using model::EventBuilder;
using model::Field;
using model::Form;
using model::Register;

using Fill = std::function<void(EventBuilder&)>;

Entity event(EntityKind kind, std::int64_t time, bool is_update, const Fill& fill) {
  EventBuilder builder(kind, is_update);
  check_ok(builder.id("e"));
  fill(builder);
  return value_of(finish(builder, time)).entity;
}
Entity created(std::int64_t time, const Fill& fill) {
  return event(EntityKind::observation, time, false, fill);
}
Entity updated(std::int64_t time, const Fill& fill) {
  return event(EntityKind::observation, time, true, fill);
}

Fill text(Field field, Bytes value, bool weak = false) {
  return [=](EventBuilder& b) { check_ok(b.text(field, value, weak)); };
}
Fill clear(Field field) {
  return [=](EventBuilder& b) { b.clear(field); };
}
Fill json(Field field, Bytes value) {
  return [=](EventBuilder& b) { b.payload(field, Form::json, value); };
}
const Fill kNothing = [](EventBuilder&) {};

// Metadata of these tests: {} and flat objects with small whole numbers.
class FlatMetadata : public model::MetadataSource {
 public:
  int reads = 0;

  Result<model::MetadataTree> read(const Register& reg, const model::Order& order) override {
    ++reads;
    const auto payload = model::PayloadValue::decode(reg.value);
    if (reg.tree()) return model::MetadataTree::decode(payload.bytes);
    model::MetadataTree tree;
    for (std::size_t at = payload.bytes.find('"'); at < payload.bytes.size();
         at = payload.bytes.find('"', at + 4)) {
      model::MetadataLeaf leaf;
      model::append_path_key(leaf.path, payload.bytes.substr(at + 1, 1));
      leaf.order = order;
      leaf.json = payload.bytes.substr(at + 5, 1);  // behind `"a": `
      tree.add(std::move(leaf));
    }
    tree.finish();
    if (tree.leaves().empty()) tree.add({{}, order, true, false, "{}"});
    return tree;
  }
};

// Joins in every order and both ways of bracketing; all must agree.
Entity all_of(std::vector<Entity> events) {
  FlatMetadata source;
  std::vector<std::size_t> turn(events.size());
  for (std::size_t i = 0; i < turn.size(); ++i) turn[i] = i;
  std::optional<Entity> first;
  do {
    Entity left = events[turn[0]];
    Entity right = events[turn.back()];
    for (std::size_t i = 1; i < turn.size(); ++i) {
      left = value_of(model::join(left, events[turn[i]], source));
      right = value_of(model::join(events[turn[turn.size() - 1 - i]], right, source));
    }
    if (!first) first = left;
    BOOST_TEST(encoded(left) == encoded(*first));
    BOOST_TEST(encoded(right) == encoded(*first));
  } while (std::next_permutation(turn.begin(), turn.end()));
  return *first;
}

std::string shown(const std::vector<Entity>& events, Field field) {
  const Shown all = EntityPrinter(all_of(events)).show();
  const auto found = all.find(field);
  return found == all.end() ? "(absent)" : found->second;
}

BOOST_AUTO_TEST_CASE(the_last_writer_counts_and_absent_fields_write_nothing) {
  BOOST_TEST(shown({created(1, text(Field::name, "a")), created(2, text(Field::name, "b")),
                    created(3, kNothing)},
                   Field::name) == "b");
}

BOOST_AUTO_TEST_CASE(a_create_comes_before_an_update_of_the_same_time) {
  BOOST_TEST(
      shown({updated(1, text(Field::name, "update")), created(1, text(Field::name, "create"))},
            Field::name) == "update");
}

BOOST_AUTO_TEST_CASE(of_equal_event_times_the_later_body_time_counts) {
  const auto at = [](std::int64_t start, Bytes name) {
    return created(1, [=](EventBuilder& b) {
      b.time(Field::start_time, start);
      check_ok(b.text(Field::name, name));
    });
  };
  BOOST_TEST(shown({at(20, "later"), at(10, "earlier")}, Field::name) == "later");
  BOOST_TEST(shown({at(20, "later"), at(10, "earlier")}, Field::start_time) == "10");
}

BOOST_AUTO_TEST_CASE(null_clears_until_something_is_written_again) {
  const Entity one = created(1, text(Field::name, "a"));
  const Entity two = created(2, clear(Field::name));
  const Entity three = created(3, text(Field::name, "b"));
  BOOST_TEST(shown({one, two}, Field::name) == "(absent)");
  BOOST_TEST(shown({one, two, three}, Field::name) == "b");
  BOOST_TEST(shown({two, three}, Field::name) == "b");
  // An earlier event that comes late does not undo it.
  BOOST_TEST(shown({two, created(0, text(Field::name, "late"))}, Field::name) == "(absent)");
}

BOOST_AUTO_TEST_CASE(defaults_and_implied_types_count_only_where_nothing_else_was_written) {
  const auto typed = [](std::int64_t time, model::ObservationType type, bool weak) {
    return created(time, [=](EventBuilder& b) { b.type(type, weak); });
  };
  using model::ObservationType;
  BOOST_TEST(shown({typed(1, ObservationType::tool, false), typed(2, ObservationType::span, true)},
                   Field::type) == "TOOL");
  BOOST_TEST(
      shown({typed(1, ObservationType::span, true), typed(2, ObservationType::generation, true)},
            Field::type) == "GENERATION");
  BOOST_TEST(
      shown({created(1, text(Field::version, "default", true)), created(2, clear(Field::version))},
            Field::version) == "(absent)");
  BOOST_TEST(
      shown({created(2, text(Field::version, "default", true)), created(1, clear(Field::version))},
            Field::version) == "(absent)");
}

BOOST_AUTO_TEST_CASE(what_is_fixed_at_the_first_write_keeps_the_least_event) {
  BOOST_TEST(shown({created(2, text(Field::environment, "b")),
                    created(1, text(Field::environment, "a")), created(0, kNothing)},
                   Field::environment) == "a");
  // A default of an earlier event gives way to what a later one says.
  BOOST_TEST(shown({created(2, text(Field::environment, "said")),
                    created(1, text(Field::environment, "default-1", true))},
                   Field::environment) == "said");
  BOOST_TEST(shown({created(2, text(Field::environment, "default-2", true)),
                    created(1, text(Field::environment, "default-1", true))},
                   Field::environment) == "default-1");
}

BOOST_AUTO_TEST_CASE(tags_unite_and_are_never_removed) {
  const auto tagged = [](std::int64_t time, std::vector<Bytes> tags) {
    return created(time, [=](EventBuilder& b) {
      for (const Bytes tag : tags) check_ok(b.tag(tag));
      b.clear(Field::tags);
    });
  };
  BOOST_TEST(shown({tagged(1, {"b", "a"}), tagged(2, {"c", "a"}), tagged(3, {})}, Field::tags) ==
             "a b c ");
}

BOOST_AUTO_TEST_CASE(usage_cost_and_model_parameters_are_replaced_whole) {
  const auto usage = [](std::int64_t time, Bytes name) {
    return created(time, [=](EventBuilder& b) {
      b.usage(name, 1);
      b.cost(name, 1);
    });
  };
  BOOST_TEST(shown({usage(1, "input"), usage(2, "output")}, Field::usage_details) == "output=1 ");
  BOOST_TEST(shown({usage(1, "input"), usage(2, "output")}, Field::cost_details) ==
             "output=0.000000000001 ");
  const auto parameters = [](std::int64_t time, Bytes object) {
    return created(time, [=](EventBuilder& b) { b.model_parameters(object); });
  };
  BOOST_TEST(shown({parameters(1, "{\"a\":1}"), parameters(2, "{\"b\":2}"), parameters(3, "{}")},
                   Field::model_parameters) == "{\"b\":2}");
}

BOOST_AUTO_TEST_CASE(an_empty_object_writes_nothing_over_an_input) {
  BOOST_TEST(shown({created(1, json(Field::input, "1")), created(2, json(Field::input, "{ }"))},
                   Field::input) == "j1");
  BOOST_TEST(shown({created(1, json(Field::input, "{}")), created(2, json(Field::input, "{ }"))},
                   Field::input) == "j{ }");
}

BOOST_AUTO_TEST_CASE(metadata_of_one_event_stays_as_it_was_given) {
  const Bytes given = "{\"b\": 2,\n\"a\": 1}";
  for (const auto& others :
       {std::vector<Entity>{},
        {created(0, kNothing), created(9, kNothing)},
        {created(0, json(Field::metadata, "{}")), created(9, json(Field::metadata, "{ }"))},
        {created(5, json(Field::metadata, given))}}) {
    std::vector<Entity> events = others;
    events.push_back(created(5, json(Field::metadata, given)));
    BOOST_TEST(shown(events, Field::metadata) == "j" + std::string(given));
  }
}

BOOST_AUTO_TEST_CASE(metadata_of_several_events_is_written_anew) {
  BOOST_TEST(shown({created(1, json(Field::metadata, "{\"b\": 2, \"c\": 3}")),
                    created(2, json(Field::metadata, "{\"a\": 1}")),
                    created(3, json(Field::metadata, "{\"b\": 4}"))},
                   Field::metadata) == "j{\"a\":1,\"b\":4,\"c\":3}");
  // The same body in two events is the same text twice, and merges all the same.
  BOOST_TEST(shown({created(1, json(Field::metadata, "{\"a\": 1}")),
                    created(2, json(Field::metadata, "{\"a\": 1}"))},
                   Field::metadata) == "j{\"a\":1}");
}

BOOST_AUTO_TEST_CASE(null_metadata_clears_what_came_before) {
  const Entity one = created(1, json(Field::metadata, "{\"a\": 1}"));
  const Entity two = created(2, clear(Field::metadata));
  const Entity three = created(3, json(Field::metadata, "{\"b\": 2}"));
  BOOST_TEST(shown({one, two}, Field::metadata) == "(absent)");
  BOOST_TEST(shown({one, two, three}, Field::metadata) == "j{\"b\":2}");
  BOOST_TEST(shown({two, created(4, clear(Field::metadata)), three}, Field::metadata) ==
             "(absent)");
  BOOST_TEST(shown({two, created(3, json(Field::metadata, "{}"))}, Field::metadata) == "(absent)");
}

BOOST_AUTO_TEST_CASE(cleared_metadata_needs_no_reading) {
  FlatMetadata source;
  const auto joined = value_of(
      model::join(created(1, clear(Field::metadata)), created(2, clear(Field::metadata)), source));
  BOOST_TEST(joined.find(Field::metadata)->tree());
  BOOST_TEST(source.reads == 0);
}

BOOST_AUTO_TEST_CASE(metadata_is_not_read_where_nothing_is_merged) {
  FlatMetadata source;
  const Entity one = created(1, json(Field::metadata, "{\"a\": 1}"));
  for (const Entity& other : {one, created(2, kNothing), created(2, json(Field::metadata, "{}"))}) {
    BOOST_TEST((value_of(model::join(one, other, source)).find(Field::metadata)->value ==
                one.find(Field::metadata)->value));
  }
  BOOST_TEST(source.reads == 0);
}

BOOST_AUTO_TEST_CASE(a_failure_to_read_metadata_is_passed_on) {
  NoMetadata source;
  const auto joined = model::join(created(1, json(Field::metadata, "{\"a\": 1}")),
                                  created(2, json(Field::metadata, "{\"a\": 2}")), source);
  BOOST_REQUIRE(!joined);
  BOOST_TEST(joined.error().message == "not expected");
}

BOOST_AUTO_TEST_CASE(merged_metadata_that_does_not_change_stays_where_it_is_stored) {
  FlatMetadata source;
  Entity whole = value_of(model::join(created(1, json(Field::metadata, "{\"a\": 1}")),
                                      created(3, json(Field::metadata, "{\"a\": 3}")), source));
  // A source that reads trees from elsewhere, as the record room does.
  class Elsewhere : public FlatMetadata {
   public:
    std::string tree;
    Result<model::MetadataTree> read(const Register& reg, const model::Order& order) override {
      if (reg.tree()) return model::MetadataTree::decode(tree);
      return FlatMetadata::read(reg, order);
    }
  } elsewhere;
  Register& metadata = *whole.find(Field::metadata);
  elsewhere.tree = model::PayloadValue::decode(metadata.value).bytes;
  metadata.value = model::PayloadValue::encode_stored(Form::json, 7, elsewhere.tree.size());
  const Entity late = created(2, json(Field::metadata, "{\"a\": 2}"));
  for (const Entity& joined : {value_of(model::join(whole, late, elsewhere)),
                               value_of(model::join(late, whole, elsewhere))}) {
    BOOST_TEST(model::PayloadValue::decode(joined.find(Field::metadata)->value).number == 7U);
  }
}

BOOST_AUTO_TEST_CASE(orders_that_only_replaced_writes_used_are_forgotten) {
  const Entity whole =
      all_of({created(1, kNothing), created(2, text(Field::name, "a")),
              created(3, text(Field::name, "b")), created(4, kNothing), created(5, kNothing)});
  BOOST_REQUIRE(whole.orders.size() == 3U);
  BOOST_TEST(whole.orders[0].event_time_ns == 1);
  BOOST_TEST(whole.orders[1].event_time_ns == 3);
  BOOST_TEST(whole.orders[2].event_time_ns == 5);
  // The defaults' order goes with them.
  BOOST_TEST(all_of({created(1, kNothing), created(2, text(Field::version, "w", true)),
                     created(3, text(Field::version, "s")), created(4, kNothing)})
                 .orders.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_start_that_was_never_written_reads_as_the_first_event) {
  BOOST_TEST(shown({created(7, kNothing), created(3, kNothing), created(5, text(Field::name, "n"))},
                   Field::start_time) == "3");
  BOOST_TEST(view_trace(event(EntityKind::trace, 3, false, kNothing)).first_event_ns == 3);
}

BOOST_AUTO_TEST_CASE(a_header_without_events_adds_nothing) {
  Entity header;
  header.kind = EntityKind::trace;
  header.id = "e";
  const Entity one = event(EntityKind::trace, 1, false, text(Field::name, "n"));
  NoMetadata source;
  BOOST_TEST((value_of(model::join(header, one, source)) == one));
  BOOST_TEST((value_of(model::join(one, header, source)) == one));
  BOOST_TEST((value_of(model::join(header, header, source)) == header));
  BOOST_TEST(!view_trace(header).has_record);
  BOOST_TEST((value_of(model::decode(encoded(header))) == header));
}

BOOST_AUTO_TEST_CASE(a_trace_with_nothing_but_flags_has_no_record_of_its_own) {
  const auto flagged =
      event(EntityKind::trace, 1, false, [](EventBuilder& b) { b.flag(Field::is_public, true); });
  BOOST_TEST(!view_trace(flagged).has_record);
  BOOST_TEST(*view_trace(flagged).is_public);
  BOOST_TEST(view_trace(event(EntityKind::trace, 1, false, text(Field::name, "n"))).has_record);
}

BOOST_AUTO_TEST_CASE(the_mark_of_events_kept_elsewhere_stays) {
  Entity marked = created(1, text(Field::name, "a"));
  marked.has_stray = true;
  const Entity plain = created(2, text(Field::name, "b"));
  NoMetadata source;
  BOOST_TEST(value_of(model::join(marked, plain, source)).has_stray);
  BOOST_TEST(value_of(model::join(plain, marked, source)).has_stray);
  BOOST_TEST(!value_of(model::join(plain, plain, source)).has_stray);
}

// ---- streams: in order, each once, by design

BOOST_AUTO_TEST_CASE(appended_text_comes_together_in_its_order_however_it_is_grouped) {
  const auto appended = [](std::int64_t time, Bytes text) {
    return updated(time, [=](EventBuilder& b) { b.streamed(Field::output, text); });
  };
  const Entity a = appended(1, "one ");
  const Entity b = appended(2, "two ");
  const Entity c = appended(3, "three");
  NoMetadata source;
  const auto joined = [&](const Entity& x, const Entity& y) {
    return value_of(model::join(x, y, source));
  };
  const Entity left = joined(joined(a, b), c);
  const Entity right = joined(a, joined(b, c));
  BOOST_TEST(encoded(left) == encoded(right));
  BOOST_TEST(encoded(left) == encoded(joined(c, joined(b, a))));  // whichever is named first
  BOOST_TEST(view_observation(left).output.value.bytes == "one two three");
  BOOST_TEST((view_observation(left).output.value.form == Form::text));
  BOOST_TEST(left.find(Field::output)->streamed());
  BOOST_TEST((left.order_of(*left.find(Field::output)) == c.last_order()));
  // What sets the field afterwards replaces it.
  const Entity whole = joined(left, updated(4, json(Field::output, "\"all\"")));
  BOOST_TEST(view_observation(whole).output.value.bytes == "\"all\"");
}

}  // namespace
}  // namespace tracelite::test

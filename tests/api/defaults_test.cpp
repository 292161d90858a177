// The environment and the release that a store gives to what names none: what is wrong with them is
// said when the store is opened, and not of every record.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "api/support.hpp"

namespace tracelite::api::test {
namespace {

using Warnings = std::vector<std::string>;

void take_warning(void* context, tl_log_level level, tl_reason /*reason*/, const char* message) {
  if (level == TL_LOG_WARNING) static_cast<Warnings*>(context)->emplace_back(message);
}

tl_options telling(Warnings& warnings) {
  tl_options options{};
  options.log = take_warning;
  options.log_context = &warnings;
  return options;
}

void put_trace(const Store& store) {
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str("t");
  must(tl_put_trace(store.get(), &trace));
  store.flush();
}

struct Named {
  std::string environment;
  std::string release;
};
Named read_trace(const Store& store) {
  tl_cursor* cursor = nullptr;
  must(tl_get(store.get(), nullptr, TL_KIND_TRACE, {}, tl_str("t"), &cursor));
  tl_row row{};
  row.struct_size = sizeof row;
  must(tl_next(cursor, &row));
  Named named{string_of(row.trace->environment), string_of(row.trace->release)};
  tl_cursor_close(cursor);
  return named;
}

// For the store that is opened while it is there.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(defaults)

// As an event does, whatever is left of what it was given.
BOOST_AUTO_TEST_CASE(a_trace_that_was_put_is_there) {
  for (const char* name : {"TRACELITE_RELEASE", "LANGFUSE_RELEASE", "GITHUB_SHA"}) unsetenv(name);
  const Folder folder;
  const Store store(folder.file());
  const std::string long_text(201, 's');
  const auto put = [&](const char* id, std::uint64_t fields) {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str(id);
    trace.set_mask = fields;
    trace.session_id = trace.user_id = text_of(long_text);
    trace.is_bookmarked = 1;
    must(tl_put_trace(store.get(), &trace));
  };
  put("nothing", 0);
  put("no tags", TL_BIT(TL_FIELD_TAGS));
  put("no session", TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_USER_ID));
  put("no input", TL_BIT(TL_FIELD_INPUT));
  put("flag and no tags", TL_BIT(TL_FIELD_TAGS) | TL_BIT(TL_FIELD_BOOKMARKED));
  store.flush();
  BOOST_TEST(store.statistics().trace_count == 5U);
  for (const char* id : {"nothing", "no tags", "no session", "no input", "flag and no tags"}) {
    Rows found(get(store, TL_KIND_TRACE, {}, id));
    BOOST_TEST(found.next(), id);
  }
}

// Nothing was said of its time.
BOOST_AUTO_TEST_CASE(a_put_of_nothing_leaves_a_trace_where_it_is) {
  const Folder folder;
  const Store store(folder.file());
  const std::string long_text(201, 's');
  const auto put = [&](std::uint64_t fields) {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str("t");
    trace.set_mask = fields;
    trace.name = tl_str("n");
    trace.user_id = text_of(long_text);
    must(tl_put_trace(store.get(), &trace));
    store.flush();
    Rows found(get(store, TL_KIND_TRACE, {}, "t"));
    BOOST_REQUIRE(found.next());
    BOOST_TEST(string_of(found.row().trace->environment) == "default");
    return found.row().trace->timestamp_ns;
  };
  const std::int64_t timestamp_ns = put(TL_BIT(TL_FIELD_NAME));
  for (const std::uint64_t fields : {std::uint64_t{0}, TL_BIT(TL_FIELD_TAGS),
                                     TL_BIT(TL_FIELD_USER_ID), TL_BIT(TL_FIELD_INPUT)}) {
    BOOST_TEST(put(fields) == timestamp_ns, "fields " << fields);
  }
}

BOOST_AUTO_TEST_CASE(a_default_environment_is_repaired_once) {
  const Folder folder;
  Warnings warnings;
  tl_options options = telling(warnings);
  options.default_environment = tl_str("Production");
  const Store store(folder.file(), options);
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings.front().find("\"production\"") != std::string::npos);
  put_trace(store);
  BOOST_TEST(warnings.size() == 1U);
  BOOST_TEST(store.counter(TL_REASON_ENVIRONMENT) == 0U);
  BOOST_TEST(read_trace(store).environment == "production");
}

BOOST_AUTO_TEST_CASE(a_default_release_that_is_not_utf8_is_refused) {
  const Folder folder;
  tl_options options{};
  options.struct_size = sizeof options;
  options.default_release = tl_str("\xff");
  tl_store* store = nullptr;
  expect(tl_open(folder.file().c_str(), &options, &store), TL_INVALID, "UTF-8", "default_release");
}

BOOST_AUTO_TEST_CASE(a_release_that_a_variable_names_and_is_not_utf8_is_none) {
  const Folder folder;
  const Variable variable("LANGFUSE_RELEASE", "\xff");
  Warnings warnings;
  const Store store(folder.file(), telling(warnings));
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings.front().find("UTF-8") != std::string::npos);
  put_trace(store);
  BOOST_TEST(read_trace(store).release.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test

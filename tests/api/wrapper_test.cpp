// The C++ classes of tracelite.hpp, where they are more than the calls that they make.
#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>

#include "store/helpers.hpp"
#include "tracelite/tracelite.hpp"  // behind the library, whose own Error it would hide

namespace tracelite::api::test {
namespace {

using store::test::Folder;

std::string of(const tl_text& text) { return std::string(cpp::view(text)); }

}  // namespace

BOOST_AUTO_TEST_SUITE(wrapper)

BOOST_AUTO_TEST_CASE(a_store_that_was_moved_from_is_empty) {
  const Folder folder;
  cpp::Store from(folder.file());
  cpp::Store to(std::move(from));
  to.put(cpp::Trace("t"));
  to.flush();
  BOOST_TEST(to.statistics().trace_count == 1U);
  BOOST_CHECK_EXCEPTION((void)from.statistics(),
                        cpp::Error,  // NOLINT(bugprone-use-after-move): it is
                        [](const cpp::Error& error) { return error.status() == TL_MISUSE; });
  from = std::move(to);
  BOOST_TEST(from.statistics().trace_count == 1U);
  from.close();
}

BOOST_AUTO_TEST_CASE(a_score_has_all_of_its_fields) {
  const Folder folder;
  cpp::Store store(folder.file());
  store.put(cpp::Score("s", "good")
                .trace_id("t")
                .number(1)
                .comment("because")
                .metadata(tl_json(R"({"k":1})"))
                .config_id("config")
                .environment("test")
                .author("ada"));
  store.flush();
  cpp::Cursor cursor = store.get(TL_KIND_SCORE, "s");
  const tl_row* const row = cursor.next();
  BOOST_REQUIRE(row != nullptr);
  const tl_score& score = *row->score;
  BOOST_TEST(of(score.comment) == "because");
  BOOST_TEST(cursor.payload(TL_FIELD_METADATA) == R"({"k":1})");
  BOOST_TEST(of(score.config_id) == "config");
  BOOST_TEST(of(score.environment) == "test");
  BOOST_TEST(of(score.author_user_id) == "ada");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test

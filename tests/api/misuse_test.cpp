// Each C function as it must not be called: NULL, out of range, closed, of another store, inherited
// through fork(), from another thread, twice. The tables have a row for every argument of every
// function in the header, or a test fails. What numbers there are between: range_test.cpp.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "api/misuse.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test::misuse {
namespace {

constexpr std::string_view kNames[] = {"NULL",   "empty",   "no size", "low",   "high",
                                       "absent", "no data", "closed",  "other", "forked"};

struct Wrong {
  std::string function;
  std::string parameter;
  How how;
  auto operator<=>(const Wrong&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Wrong& wrong) {
  return out << wrong.function << ", " << wrong.parameter << ", "
             << kNames[static_cast<std::size_t>(wrong.how)];
}
Wrong of(const Row& row) {
  return {std::string(row.function), std::string(row.parameter), row.how};
}

// ------------------------------------------------------------------------------ the header

struct Declaration {
  std::string name;
  std::vector<std::string> parameters;
};

std::string in_one_line(std::string_view text) {
  std::string line;
  for (const char letter : text) {
    const bool is_space = letter == ' ' || letter == '\n';
    if (!is_space) line += letter;
    if (is_space && !line.empty() && line.back() != ' ') line += ' ';
  }
  return line;
}

std::vector<Declaration> declarations(const std::string& header) {
  constexpr std::string_view kMark = "\nTL_API ";
  std::vector<Declaration> found;
  for (auto at = header.find(kMark); at != std::string::npos; at = header.find(kMark, at + 1)) {
    const std::string line = in_one_line(header.substr(at, header.find(';', at) - at));
    const std::size_t open = line.find('(');
    const std::size_t name = line.find_last_of(" *", open) + 1;
    Declaration declaration{line.substr(name, open - name), {}};
    std::string rest = line.substr(open + 1, line.rfind(')') - open - 1);
    if (rest != "void") rest += ", ";
    for (auto end = rest.find(", "); end != std::string::npos; end = rest.find(", ")) {
      declaration.parameters.push_back(rest.substr(0, end));
      rest.erase(0, end + 2);
    }
    found.push_back(std::move(declaration));
  }
  return found;
}

// All the ways that an argument of this type can be wrong.
std::vector<How> ways(const std::string& header, const std::string& parameter) {
  const std::size_t name_at = parameter.find_last_of(" *") + 1;
  const std::string name = parameter.substr(name_at);
  std::string type = parameter.substr(0, name_at);
  if (type.starts_with("const ")) type.erase(0, 6);
  const auto stars = std::count(type.begin(), type.end(), '*');
  type.erase(type.find_first_of(" *"));
  const auto says = [&](const std::string& text) { return header.find(text) != std::string::npos; };
  if (type == "void" && name != "buffer") return {};  // the caller's own
  if (stars == 2 || type.ends_with("_fn")) return {How::null};
  if (stars == 0) {
    if (type == "tl_text") return {How::absent, How::no_data};
    if (says("typedef int32_t " + type + ";")) return {How::low, How::high};
    return {};  // every number means something
  }
  if (type == "char") return {How::null, How::empty};
  if (type == "tl_store") return {How::null, How::forked};  // a closed one is freed
  if (type == "tl_snapshot" || name == "parent") {
    return {How::null, How::closed, How::other, How::forked};
  }
  if (type == "tl_span" || type == "tl_cursor") return {How::null, How::closed, How::forked};
  if (says("typedef struct " + type + " {\n  uint32_t struct_size;")) {
    return {How::null, How::no_size};
  }
  return {How::null};
}

// ------------------------------------------------------------------------------ calls

struct Outcome {
  tl_status status;
  tl_status error_status;
  std::string field;
  std::string message;
};

const Function& function_of(std::string_view name) {
  return *std::ranges::find(functions(), name, &Function::name);
}

Outcome call(const Function& function, Arguments& arguments) {
  const tl_status status = function.call(arguments);
  const tl_error_info& error = *tl_error();
  return {status, error.status, error.field, error.message};
}

// What is not as the table says; empty if nothing.
std::string judge(const Row& row, const Outcome& got, const Arguments& arguments) {
  std::string wrong;
  const auto expect = [&](bool is_right, const std::string& what) {
    if (!is_right) wrong += "; " + what;
  };
  expect(got.status == row.status, std::string("gave ") + tl_status_name(got.status));
  if (function_of(row.function).tells_errors) {
    expect(got.error_status == got.status, "tl_error() has another status");
    expect(got.field == row.field, "names the field \"" + got.field + "\"");
    expect(got.message.empty() == (row.status == TL_OK), "says \"" + got.message + "\"");
  }
  expect(row.status == TL_OK || arguments.gave_nothing(), "gave a handle");
  return wrong;
}

// Calls as the row says; the handles of `stranger` are the closed, foreign or inherited ones.
std::string try_row(const Row& row, const Scene& scene, Arguments* stranger) {
  Arguments arguments(scene, row.function);
  if (!spoil(arguments, row.parameter, row.how, stranger)) return "; cannot be made wrong";
  const Outcome got = call(function_of(row.function), arguments);
  return judge(row, got, arguments);
}

struct Fixture {
  Folder folder{store::test::fast_folder()};
  Scene scene{folder};
  Fixture() { Scene(folder, "closed.tl"); }

  void try_rows(bool that_succeed) const {
    const Scene other(folder, "b.tl");
    for (const Row& row : rows()) {
      if (row.how == How::forked || (row.status == TL_OK) != that_succeed) continue;
      std::unique_ptr<Scene> stranger_scene;
      std::unique_ptr<Arguments> stranger;
      if (row.how == How::other) stranger = std::make_unique<Arguments>(other, row.function);
      if (row.how == How::closed) {
        stranger_scene = std::make_unique<Scene>(folder);
        stranger = std::make_unique<Arguments>(*stranger_scene, row.function);
        stranger_scene->store.close();
      }
      const std::string wrong = try_row(row, scene, stranger.get());
      BOOST_TEST(wrong.empty(), of(row) << wrong);
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(misuse)

BOOST_AUTO_TEST_CASE(the_tables_name_every_argument_of_every_function_in_the_header) {
  const std::string header =
      store::test::read_file(TL_TESTS_DIR "/../include/tracelite/tracelite.h");
  std::set<std::string> declared, callable;
  std::set<Wrong> wanted, there;
  for (const Declaration& declaration : declarations(header)) {
    declared.insert(declaration.name);
    for (const std::string& parameter : declaration.parameters) {
      for (const How how : ways(header, parameter)) {
        wanted.insert({declaration.name, parameter, how});
      }
    }
  }
  for (const Function& function : functions()) callable.emplace(function.name);
  for (const Row& row : rows()) there.insert(of(row));
  BOOST_TEST(declared.size() > 40U);  // or the header is not read as it is written
  BOOST_TEST(declared == callable, boost::test_tools::per_element());
  BOOST_TEST(there.size() == rows().size());
  for (const Wrong& wrong : wanted) {
    BOOST_TEST(there.contains(wrong), "no row for " << wrong);
  }
  for (const Wrong& wrong : there) {
    BOOST_TEST(wanted.contains(wrong), "not in the header: " << wrong);
  }
}

BOOST_FIXTURE_TEST_CASE(an_argument_that_is_wrong_is_refused_and_named, Fixture) {
  try_rows(false);
  scene.store.flush();
  BOOST_TEST(count(scene.store, TL_KIND_TRACE, nullptr) >= 3U);
  tl_cursor* cursor = nullptr;
  for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE}) {
    expect(tl_get(scene.store.get(), nullptr, kind, {}, tl_str("made"), &cursor), TL_NOT_FOUND, "");
  }
  Rows session(get(scene.store, TL_KIND_SESSION, {}, "s"));
  BOOST_REQUIRE(session.next());
  BOOST_TEST(session.row().session->is_public == 0);
}

BOOST_FIXTURE_TEST_CASE(an_argument_that_need_not_be_given_is_not_missed, Fixture) {
  try_rows(true);
}

// The child has a store of its own: what is inherited is wrong alone.
BOOST_FIXTURE_TEST_CASE(
    an_inherited_handle_is_refused_by_every_function, Fixture,
    *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  std::vector<std::pair<const Row*, std::unique_ptr<Arguments>>> inherited;
  for (const Row& row : rows()) {
    if (row.how != How::forked) continue;
    inherited.emplace_back(&row, std::make_unique<Arguments>(scene, row.function));
  }
  store::test::Child child([&] {
    int wrong_count = 0;
    const Scene own(folder);
    for (auto& [row, stranger] : inherited) {
      const std::string wrong = try_row(*row, own, stranger.get());
      if (wrong.empty()) continue;
      ++wrong_count;
      std::cerr << of(*row) << wrong << '\n';
    }
    return std::min(wrong_count, 90);
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_handle_works_in_another_thread_than_it_was_made_in, Fixture) {
  for (const Function& function : functions()) {
    Arguments arguments(scene, function.name);
    Outcome got{};
    std::thread([&] { got = call(function, arguments); }).join();
    BOOST_TEST(got.status == TL_OK, function.name << ": " << got.field << ": " << got.message);
    // The other thread's call is none of this one's.
    BOOST_TEST(tl_error()->status == TL_OK);
  }
}

// Here the handles' own thread has ended.
BOOST_FIXTURE_TEST_CASE(a_handle_outlives_the_thread_it_was_made_in, Fixture) {
  for (const Function& function : functions()) {
    std::unique_ptr<Arguments> arguments;
    std::thread([&] { arguments = std::make_unique<Arguments>(scene, function.name); }).join();
    const Outcome got = call(function, *arguments);
    BOOST_TEST(got.status == TL_OK, function.name << ": " << got.field << ": " << got.message);
  }
}

BOOST_FIXTURE_TEST_CASE(the_last_error_is_that_of_its_thread, Fixture) {
  expect(tl_put_trace(scene.store.get(), nullptr), TL_MISUSE, "NULL", "trace");
  std::thread([&] {
    BOOST_TEST(tl_error()->status == TL_OK);
    BOOST_TEST(std::string(tl_error()->message).empty());
    expect(tl_put_score(scene.store.get(), nullptr), TL_MISUSE, "NULL", "score");
    must(tl_flush(scene.store.get(), UINT32_MAX, nullptr));
    BOOST_TEST(tl_error()->status == TL_OK);
  }).join();
  BOOST_TEST(tl_error()->status == TL_MISUSE);
  BOOST_TEST(std::string(tl_error()->field) == "trace");
  must(tl_flush(scene.store.get(), UINT32_MAX, nullptr));
  BOOST_TEST(tl_error()->status == TL_OK);
}

BOOST_FIXTURE_TEST_CASE(a_call_can_be_made_twice, Fixture) {
  for (const Function& function : functions()) {
    Arguments arguments(scene, function.name);
    const Outcome first = call(function, arguments);
    BOOST_TEST(first.status == TL_OK, function.name << ": " << first.message);
    if (function.again == kFreed) continue;
    arguments.free_outputs();
    const Outcome second = call(function, arguments);
    BOOST_TEST(second.status == function.again, function.name << ": " << second.message);
  }
}

// A close that was misused has closed nothing, and another one does.
BOOST_FIXTURE_TEST_CASE(a_close_that_is_refused_can_be_made_anew, Fixture) {
  Arguments arguments(scene, "tl_close");
  arguments.close_report.value.struct_size = 0;
  expect(tl_close(arguments.store, 0, arguments.close_report.pointer), TL_MISUSE, "struct_size");
  must(tl_flush(arguments.store, UINT32_MAX, nullptr));
  arguments.own_store = nullptr;
  must(tl_close(arguments.store, UINT32_MAX, nullptr));
}

BOOST_FIXTURE_TEST_CASE(a_cursor_that_is_cancelled_or_done_stays_so, Fixture) {
  Rows rows(list(scene.store, TL_KIND_SESSION));
  BOOST_TEST(rows.next());
  BOOST_TEST(!rows.next());
  BOOST_TEST(!rows.next());
  Pointed<tl_row> row;
  for (int i = 0; i < 2; ++i) {
    must(tl_cursor_cancel(rows.get()));
    expect(tl_next(rows.get(), row.pointer), TL_CANCELLED, "cancelled");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test::misuse

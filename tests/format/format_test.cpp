// The promise of a frozen format: every build reads the files of every version (README.md here),
// and records the same events with the same result as the build that wrote them.
#include <xxhash.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/random_events.hpp"
#include "api/support.hpp"
#include "store/packed_space.hpp"

namespace tracelite::api::test {
namespace {

using store::test::read_file;
using store::test::write_file;

const std::string kFolder = TL_TESTS_DIR "/format/";
constexpr const char* kLiveTrace = "live-trace";
constexpr std::array kFiles = {"format_1.tl", "format_1_compacted.tl"};

// ------------------------------------------------------------------------------ what was recorded

std::string trace_event(const std::string& id, const std::string& fields) {
  return R"({"id":"event-of-)" + id +
         R"(","timestamp":"2026-11-22T10:00:00.000Z","type":"trace-create","body":{"id":")" + id +
         R"(","timestamp":"2026-11-22T10:00:00.000Z",)" + fields + "}}\n";
}

std::string base64(const std::string& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i + 2 < bytes.size(); i += 3) {
    const std::uint32_t three = static_cast<std::uint32_t>(
        static_cast<unsigned char>(bytes[i]) << 16U |
        static_cast<unsigned char>(bytes[i + 1]) << 8U | static_cast<unsigned char>(bytes[i + 2]));
    for (const unsigned shift : {18U, 12U, 6U, 0U}) text += kDigits[three >> shift & 63U];
  }
  return text;
}

// Text that compresses like prose.
std::string prose(std::uint64_t seed, std::size_t size_bytes) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < size_bytes) text += "word" + std::to_string(random() % 500) + ' ';
  text.resize(size_bytes);
  return text;
}

std::string noise(std::uint64_t seed, std::size_t size_bytes) {
  std::mt19937_64 random(seed);
  std::string bytes;
  while (bytes.size() < size_bytes) bytes += static_cast<char>(random() & 0xff);
  return bytes;
}

// A history that grows with every call, and a document that other sessions have as well.
std::string conversation(int session) {
  const std::string document = prose(7, 3000);
  std::string events;
  std::string history = R"({"role":"system","content":")" + document + "\"}";
  for (int call = 0; call < 12; ++call) {
    const std::string id = std::to_string(session) + "-" + std::to_string(call);
    history += R"(,{"role":"user","content":")" +
               prose(static_cast<std::uint64_t>(session * 100 + call), 400) + "\"}";
    events += trace_event("call-" + id, R"("sessionId":"conversation-)" + std::to_string(session) +
                                            R"(","input":{"messages":[)" + history + "]}");
  }
  return events;
}

std::string media_events() {
  const std::string image = "data:image/png;base64," + base64(noise(3, 9000));
  const std::string page = "data:text/html;base64," + base64(prose(4, 6000));
  return trace_event("media-1", R"("input":{"image":")" + image + R"(","page":")" + page + "\"}") +
         trace_event("media-2", R"("input":[")" + image + "\"]");
}

// Live observations; every time but those of the events is given, so that all runs are alike. The
// second one is never ended.
tl_span* record_live(const Store& store) {
  tl_observation call{};
  call.struct_size = sizeof call;
  call.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_TYPE) |
                  TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_COMPLETION_START_TIME);
  call.id = tl_str("streamed");
  call.trace_id = tl_str(kLiveTrace);
  call.name = tl_str("answer");
  call.type = TL_TYPE_GENERATION;
  call.start_time_ns = 1'795'000'000'000'000'000;
  call.completion_start_time_ns = call.start_time_ns + 1;
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, &call, &span));
  constexpr std::size_t kPieceSizeBytes = std::size_t{1} << 20;
  std::string text;
  while (text.size() < 5 * kPieceSizeBytes) text += prose(5 + text.size() / kPieceSizeBytes, 5000);
  for (std::size_t begin = 0; begin < text.size(); begin += kPieceSizeBytes) {
    const std::string_view piece = std::string_view(text).substr(begin, kPieceSizeBytes);
    must(tl_append(span, TL_FIELD_OUTPUT, text_of(piece)));
  }
  tl_observation end{};
  end.struct_size = sizeof end;
  end.set_mask = TL_BIT(TL_FIELD_END_TIME);
  end.end_time_ns = call.start_time_ns + 5;
  must(tl_end(span, &end));
  call.id = tl_str("unfinished");
  must(tl_begin(store.get(), nullptr, &call, &span));
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("cut off in the mid")));
  store.flush();
  return span;
}

// As a file of some hundred megabytes does: its records in blocks that a dictionary was used for.
void use_dictionary(const std::string& path) {
  constexpr std::size_t kDictionarySizeBytes = 1024;
  const store::Packing packing{3, 1, std::size_t{16} << 10, 2, kDictionarySizeBytes};
  const auto environment = store::test::open_file(path);
  for (int i = 0; i < 2; ++i) {  // trained from the small blocks that the first round has written
    auto transaction = store::test::must(environment->begin_write());
    store::PackedSpaces::of(transaction).set_packing(packing);
    auto& records = store::PackedSpace::of(transaction, store::KeySpace::record);
    std::vector<std::pair<std::string, std::string>> all;
    store::PackedCursor cursor(transaction, store::KeySpace::record);
    for (bool more = store::test::must(cursor.seek({})); more;
         more = store::test::must(cursor.next())) {
      all.emplace_back(cursor.key(), cursor.value());
    }
    for (const auto& [key, value] : all) {
      store::test::must(records.erase(key));
      store::test::must(records.put(key, value));
    }
    store::test::must(transaction.commit());
  }
}

// The two files of a version: where `compacts`, before the last of it is recorded.
void record_all(const std::string& path, bool compacts) {
  Random random(20261122);  // fixed: the events are part of the promise
  const Events events = random_events(random, 2000, 80);
  {
    const Store store(path);
    for (std::size_t i = 0; i < events.size(); i += 500) {
      std::string text;
      for (std::size_t k = i; k < i + 500; ++k) text += events[k] + "\n";
      store.import_all(text);
    }
  }
  if (!compacts) use_dictionary(path);
  tl_span* unfinished = nullptr;
  {
    const Store store(path);
    for (int session = 0; session < 8; ++session) store.import_all(conversation(session));
    store.import_all(media_events());
    unfinished = record_live(store);
    if (compacts) must(tl_compact(store.get(), nullptr, nullptr));
    for (int i = 0; i < 150; ++i) {
      store.import_all(trace_event("late-" + std::to_string(i), R"("name":"late","userId":"u1",)"
                                                                R"("tags":["tag1","late"])"));
    }
    store.import_all(conversation(8));
  }
  tl_end(unfinished, nullptr);
}

// ------------------------------------------------------------------------------- what is compared

// Of each exported line its type, id and hash. The events of live observations have the time of
// their recording.
std::string digest(const std::string& exported) {
  std::istringstream lines(exported);
  std::ostringstream out;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(kLiveTrace) != std::string::npos) line.erase(0, line.find("\"type\":"));
    const std::size_t type = line.find("\"type\":");
    const std::size_t id = line.find("\"body\":{\"id\":");
    BOOST_REQUIRE(type != std::string::npos && id != std::string::npos);
    out << line.substr(type, line.find(',', type) - type) << ' '
        << line.substr(id, line.find(',', id) - id) << ' ' << std::hex
        << XXH3_64bits(line.data(), line.size()) << '\n';
  }
  return out.str();
}

std::set<std::string> key_spaces_in_use(const std::string& path) {
  const auto environment = store::test::open_file(path);
  auto transaction = store::test::must(environment->begin_read());
  std::set<std::string> names;
  for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
    const auto space = static_cast<store::KeySpace>(i);
    if (store::test::must(transaction.statistics(space)).entries == 0) continue;
    names.emplace(store::kKeySpaceNames[i]);
  }
  return names;
}

void check_same(const std::string& got, const std::string& wanted, const std::string& of) {
  if (got == wanted) return;
  std::istringstream got_lines(got);
  std::istringstream wanted_lines(wanted);
  std::string got_line;
  std::string wanted_line;
  while (got_line == wanted_line && std::getline(wanted_lines, wanted_line)) {
    got_line.clear();
    std::getline(got_lines, got_line);
  }
  BOOST_ERROR(of << " differs first where\n" << got_line << "\nshould be\n" << wanted_line);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(format)

BOOST_AUTO_TEST_CASE(files_of_version_1_read_as_they_were_recorded) {
  const std::string wanted = read_file(kFolder + "format_1.txt");
  BOOST_REQUIRE(!wanted.empty());
  for (const char* name : kFiles) {
    const Folder folder;
    const std::string path = folder.file();
    std::filesystem::copy_file(kFolder + name, path);
    const std::string before = read_file(path);
    {
      tl_options options{};
      options.read_only = 1;
      const Store store(path, options);
      BOOST_TEST(store.statistics().format_version == 1U);
      check_same(digest(store.export_all()), wanted, name);
    }
    BOOST_TEST((read_file(path) == before), name << " changed by reading");
  }
}

BOOST_AUTO_TEST_CASE(files_of_version_1_are_written_on) {
  for (const char* name : kFiles) {
    const Folder folder;
    const std::string path = folder.file();
    std::filesystem::copy_file(kFolder + name, path);
    const Store store(path);
    store.check();
    const std::uint64_t traces = count(store, TL_KIND_TRACE);
    store.import_all(trace_event("new", R"("name":"new","sessionId":"conversation-1")"));
    store.import_all(conversation(3));
    BOOST_TEST(count(store, TL_KIND_TRACE) == traces + 1);
    store.check();
    must(tl_compact(store.get(), nullptr, nullptr));
    store.check();
    BOOST_TEST(count(store, TL_KIND_TRACE) == traces + 1);
  }
}

BOOST_AUTO_TEST_CASE(the_files_use_every_key_space) {
  std::set<std::string> names;
  for (const char* name : kFiles) {
    const Folder folder;
    std::filesystem::copy_file(kFolder + name, folder.file());
    names.merge(key_spaces_in_use(folder.file()));
  }
  const std::set<std::string> all(store::kKeySpaceNames.begin(), store::kKeySpaceNames.end());
  BOOST_TEST(names == all, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_same_events_recorded_now_read_alike) {
  const char* const kept = std::getenv("TL_KEEP_FORMAT_FILES");
  std::string first;
  for (const char* name : kFiles) {
    const Folder folder;
    record_all(folder.file(), name == kFiles[1]);
    std::string got;
    {
      const Store store(folder.file());
      got = digest(store.export_all());
    }
    if (kept == nullptr) {
      check_same(got, read_file(kFolder + "format_1.txt"), name);
      continue;
    }
    std::filesystem::copy_file(folder.file(), std::string(kept) + "/" + name);
    if (first.empty()) write_file(std::string(kept) + "/format_1.txt", got);
    if (!first.empty()) check_same(got, first, name);
    first = got;
  }
}

BOOST_AUTO_TEST_CASE(a_newer_version_is_refused_with_both_numbers) {
  const Folder folder;
  std::filesystem::copy_file(kFolder + kFiles[0], folder.file());
  {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_write());
    const auto mark = store::test::must(transaction.get(store::KeySpace::meta, "format"));
    BOOST_REQUIRE(mark);
    std::string newer(*mark);
    constexpr std::size_t kVersionEnd = 13;  // "tracelite", then 4 bytes, the last one the least
    ++newer[kVersionEnd - 1];
    store::test::must(transaction.put(store::KeySpace::meta, "format", newer));
    store::test::must(transaction.commit());
  }
  tl_store* refused = nullptr;
  expect(tl_open(folder.file().c_str(), nullptr, &refused), TL_NEWER_FORMAT, "format version 2");
  expect(tl_open(folder.file().c_str(), nullptr, &refused), TL_NEWER_FORMAT, "up to version 1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test

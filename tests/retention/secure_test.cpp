// What was deleted securely is nowhere in the bytes of the file.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "maintain/testing.hpp"
#include "payload/base64.hpp"
#include "record/records.hpp"
#include "retention/support.hpp"
#include "store/free_pages.hpp"
#include "store/unused_bytes.hpp"
#include "support/peak_memory.hpp"

namespace tracelite::retention::test {
namespace {

using api::test::expect;
using api::test::filter;
using api::test::text_of;

// Words that are nowhere else, by what they were given as.
class Markers {
 public:
  explicit Markers(std::uint64_t seed) : random_(seed) {}

  std::string make(const std::string& what, std::size_t size_bytes = 24) {
    std::string text(size_bytes, ' ');
    for (char& letter : text) letter = static_cast<char>('A' + random_() % 26);
    return made_[what] = text;
  }
  // Of all bytes, so that it cannot be compressed.
  std::string make_bytes(const std::string& what, std::size_t size_bytes) {
    std::string bytes(size_bytes, ' ');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    made_[what] = bytes.substr(size_bytes / 2, 24);
    return bytes;
  }
  [[nodiscard]] std::vector<std::string> found_in(const std::string& path) const {
    const std::string bytes = store::test::read_file(path);
    std::vector<std::string> found;
    for (const auto& [what, text] : made_) {
      if (bytes.find(text) != std::string::npos) found.push_back(what);
    }
    return found;
  }

 private:
  std::mt19937_64 random_;
  std::map<std::string, std::string> made_;
};

// A trace with a marker in each field, some of them written over in later commits.
void record_secret(const Store& store, Markers& markers, int number) {
  const std::string of = std::to_string(number);
  const std::string id = "secret" + of;
  const std::string session = markers.make("session" + of);
  const std::string user = "secret-user";
  const std::string other_user = markers.make("user" + of);
  for (int round = 0; round < 3; ++round) {
    const std::string at = of + "." + std::to_string(round);
    const std::string tag = markers.make("tag" + at);
    const std::initializer_list<tl_text> tags = {text_of(tag)};
    const std::string name = markers.make("name" + at);
    const std::string metadata =
        "{\"" + markers.make("key" + at) + "\":\"" + markers.make("value" + at) + "\"}";
    const std::string input = markers.make_bytes("input" + at, 3'000);
    const std::string output = markers.make("output" + at, 100);
    const std::string observation = markers.make("observation" + at);
    cpp::Trace trace(id);
    trace.timestamp(kSecondNs * (number + 1)).name(name).session(session).user(user);
    trace.tags(tags).metadata(cpp::json(metadata)).output(cpp::plain(output));
    must(tl_put_trace(store.get(), trace.get()));
    must(tl_put_observation(store.get(), cpp::Observation()
                                             .id(observation)
                                             .trace_id(id)
                                             .name(name)
                                             .user(other_user)
                                             .start(kSecondNs)
                                             .input(cpp::bytes(input))
                                             .metadata(cpp::json(metadata))
                                             .get()));
    store.flush();
  }
}

tl_filter of_secret_user() {
  tl_filter of = filter();
  of.user_id = text_of("secret-user");
  return of;
}

struct Answer {
  tl_status status = TL_OK;
  tl_delete_report report{};
};
Answer delete_securely(const Store& store, const tl_filter& of, std::uint32_t timeout_ms) {
  Answer answer;
  answer.report.struct_size = sizeof answer.report;
  answer.status =
      tl_delete_securely(store.get(), &of, timeout_ms, nullptr, nullptr, &answer.report);
  return answer;
}

void record_others(const Store& store, std::uint32_t first) {
  for (std::uint32_t i = first; i < first + 100; ++i) {
    record(store, i, {.time_ns = model::now_ns(), .session = "s" + std::to_string(i % 7)});
  }
  store.flush();
}

// Of all records, whether they are to be seen or not: blocks of them are compressed.
std::set<std::string> ids_of_records(const std::string& path) {
  const auto environment = store::test::open_file(path);
  const auto transaction = store::test::must(environment->begin_read());
  std::set<std::string> ids;
  record::RecordCursor cursor(transaction);
  for (bool more = store::test::must(cursor.seek({})); more;
       more = store::test::must(cursor.next())) {
    ids.insert(store::test::must(model::decode(cursor.record())).id);
  }
  return ids;
}

constexpr int kSecrets = 12;

}  // namespace

BOOST_AUTO_TEST_SUITE(secure_delete)

BOOST_AUTO_TEST_CASE(no_byte_of_the_file_says_what_was_deleted) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  const Store store(folder.file());
  for (int i = 0; i < kSecrets; ++i) {
    record_secret(store, markers, i);
    record_others(store, static_cast<std::uint32_t>(i) * 100);
  }
  // Each kind of marker can be found where it is to be gone.
  const auto before = markers.found_in(folder.file());
  for (const std::string what : {"session", "user", "tag", "name", "key", "value", "input"}) {
    BOOST_TEST(std::ranges::any_of(before, [&](const auto& one) { return one.starts_with(what); }),
               what);
  }
  const std::uint64_t traces_before = store.statistics().trace_count;
  const Answer answer = delete_securely(store, of_secret_user(), 0);
  must(answer.status);
  BOOST_TEST(answer.report.trace_count == static_cast<std::uint64_t>(kSecrets));
  BOOST_TEST(answer.report.zeroed_size_bytes > 0U);
  BOOST_TEST(answer.report.remaining_size_bytes == 0U);
  for (const std::string& what : markers.found_in(folder.file())) {
    BOOST_ERROR("the file still has the marker " << what);
  }
  // Nothing that is not in use is anything but zeros.
  const auto environment = store::test::open_file(folder.file());
  BOOST_TEST(store::test::must(store::zero_unused_bytes(*environment)) == 0U);
  store.check();
  BOOST_TEST(store.statistics().trace_count == traces_before - kSecrets);
  record_others(store, 50'000);
  store.check();
}

BOOST_AUTO_TEST_CASE(what_a_tl_delete_of_before_has_left_goes_as_well) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  const Store store(folder.file());
  record_others(store, 0);
  record_secret(store, markers, 0);
  BOOST_TEST(store.remove(of_secret_user()).trace_count == 1U);
  BOOST_TEST(!markers.found_in(folder.file()).empty());
  record(store, 1'000, {.time_ns = kSecondNs, .session = {}});
  tl_filter old = filter();
  old.trace_id = text_of("t1000");
  must(delete_securely(store, old, 0).status);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  store.check();
  // Blocks are compressed: what lies below a patch cannot be found by looking at bytes.
  const auto environment = store::test::open_file(folder.file());
  BOOST_TEST(store::test::must(
                 store::test::must(environment->begin_read()).statistics(store::KeySpace::patch))
                 .entries == 0U);
}

// Sessions and traces that records of it had named before they named others.
BOOST_AUTO_TEST_CASE(what_it_was_named_with_for_a_while_goes_as_well) {
  const Folder folder(fast_folder());
  const Store store(folder.file());
  record_others(store, 0);
  const std::string input(500, 'x');
  for (const char* session : {"of-both", "other"}) {
    for (const std::string id : {"moves", "stays"}) {
      must(tl_put_trace(store.get(), cpp::Trace(id).timestamp(kSecondNs).session(session).get()));
      must(tl_put_observation(
          store.get(), cpp::Observation().id(id).trace_id(id).input(cpp::plain(input)).get()));
      store.flush();
    }
  }
  const auto score = [](const std::string& of, const char* second) {
    return R"({"id":"e)" + of + R"(","type":"score-create","timestamp":"2026-01-01T00:00:0)" +
           second + R"(Z","body":{"id":"score","name":"n","value":1,"traceId":")" + of + R"("}})" +
           '\n';
  };
  store.import_all(score("named-later", "2"));
  store.import_all(score("moves", "1"));
  BOOST_TEST(ids_of_records(folder.file()).contains("of-both"));
  BOOST_TEST(ids_of_records(folder.file()).contains("named-later"));
  tl_filter moves = filter();
  moves.trace_id = text_of("moves");
  must(delete_securely(store, moves, 0).status);
  const std::set<std::string> left = ids_of_records(folder.file());
  for (const char* gone : {"moves", "of-both", "named-later"}) {
    BOOST_TEST(!left.contains(gone), gone);
  }
  for (const char* kept : {"stays", "other", "s3"}) BOOST_TEST(left.contains(kept), kept);
  store.check();
  // Also what lies with the text of a session that is no more.
  const std::string exported = store.export_all();
  BOOST_TEST(exported.find(input) != std::string::npos);
  must(tl_compact(store.get(), nullptr, nullptr));
  BOOST_TEST((store.export_all() == exported));
  store.check();
}

// As after a crash of somebody who was to delete it securely.
BOOST_AUTO_TEST_CASE(what_is_gone_already_is_not_told_by_the_index_either) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    record_others(store, 0);
    record_secret(store, markers, 0);
    BOOST_TEST(store.remove(of_secret_user()).trace_count == 1U);
  }
  BOOST_TEST(!markers.found_in(folder.file()).empty());
  const Store store(folder.file());
  const Answer answer = delete_securely(store, of_secret_user(), 0);
  must(answer.status);
  BOOST_TEST(answer.report.trace_count == 0U);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  store.check();
}

// LMDB writes pages behind the last one, and never comes to write the head.
BOOST_AUTO_TEST_CASE(what_a_commit_that_was_cut_off_has_left_behind_the_last_page_goes_as_well) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    record_others(store, 0);
    record_secret(store, markers, 0);
  }
  {
    // It ends within a page, with the word.
    std::string left;
    const std::string word = markers.make("cut off");
    while (left.size() < std::size_t{4} << 20) left += noise(7, 999) + word;
    std::ofstream(folder.file(), std::ios::binary | std::ios::app) << left;
  }
  const Store store(folder.file());
  const Answer answer = delete_securely(store, of_secret_user(), 0);
  must(answer.status);
  BOOST_TEST(answer.report.trace_count == 1U);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  store.check();
  record_others(store, 1'000);
  store.check();
}

// A stranger's file, of which nearly nothing is on the disk.
BOOST_AUTO_TEST_CASE(a_file_that_goes_on_for_long_behind_its_last_page_takes_no_memory_for_that) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    record_others(store, 0);
    record_secret(store, markers, 0);
  }
  constexpr off_t kSizeBytes = off_t{1} << 40;
  if (truncate(folder.file().c_str(), kSizeBytes) != 0) {
    BOOST_TEST_MESSAGE("skipped: no file can be so long here");
    return;
  }
  const Store store(folder.file());
  const long before_kib = tracelite::test::peak_memory_kib();
  const Answer answer = delete_securely(store, of_secret_user(), 0);
  must(answer.status);
  BOOST_TEST(answer.report.trace_count == 1U);
  BOOST_TEST(tracelite::test::peak_memory_kib() - before_kib < 512 * 1024);
}

// While it waits for a snapshot somebody deletes as tl_delete does.
BOOST_AUTO_TEST_CASE(what_others_have_deleted_meanwhile_is_not_told_by_the_index_either) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  const Store store(folder.file());
  const Store other(folder.file());
  record_others(store, 0);
  std::atomic<std::uint64_t>& held_back_count = maintain::testing::held_back_count;
  // Until the other deletion has fallen into the wait, for which a slow machine needs longer.
  bool was_meanwhile = false;
  for (std::uint32_t timeout_ms = 100; !was_meanwhile; timeout_ms *= 2) {
    BOOST_REQUIRE(timeout_ms < 60'000U);
    record_secret(store, markers, static_cast<int>(timeout_ms));
    tl_snapshot* snapshot = nullptr;
    must(tl_snapshot_open(store.get(), &snapshot));
    Answer waited;
    const std::uint64_t before = held_back_count;
    std::atomic<bool> has_returned{false};
    std::thread waiting([&] {
      tl_filter one = filter();
      one.trace_id = text_of("t1");
      waited = delete_securely(store, one, timeout_ms);
      has_returned = true;
    });
    while (held_back_count == before && !has_returned) std::this_thread::yield();
    BOOST_TEST(other.remove(of_secret_user()).trace_count == 1U);
    const std::uint64_t afterwards = held_back_count;
    waiting.join();
    was_meanwhile = held_back_count > afterwards;
    BOOST_TEST(waited.status == TL_TIMEOUT);
    tl_snapshot_close(snapshot);
  }
  must(delete_securely(store, of_secret_user(), 0).status);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  store.check();
}

// Large payloads and media are in the file before their record, which may repeat another.
BOOST_AUTO_TEST_CASE(no_large_payload_of_an_event_that_came_twice_stays) {
  const Folder folder(fast_folder());
  const Store store(folder.file());
  std::string medium = "data:image/png;base64,";
  payload::append_base64(medium, noise(2, std::size_t{5} << 20));
  const std::string line =
      R"({"id":"e","timestamp":"2026-01-01T00:00:00Z","type":"span-create","body":{"id":"o",)"
      R"("traceId":"t","input":")" +
      std::string(std::size_t{5} << 20, 'x') + R"(","output":")" + medium + "\"}}\n";
  const std::string earlier = R"({"id":"f","timestamp":"2025-01-01T00:00:00Z",)"
                              R"("type":"span-create","body":{"id":"o","traceId":"t","output":")" +
                              medium.substr(0, medium.size() - 4) + "\"}}\n";
  for (const std::string& some : {line, line, earlier}) {
    store.import_all(some);
    store.flush();
  }
  tl_filter of = filter();
  of.trace_id = text_of("t");
  const Answer answer = delete_securely(store, of, 0);
  must(answer.status);
  BOOST_TEST(answer.report.remaining_size_bytes == 0U);
  const auto environment = store::test::open_file(folder.file());
  const auto snapshot = store::test::must(environment->begin_read());
  for (const store::KeySpace space : {store::KeySpace::payload, store::KeySpace::media}) {
    BOOST_TEST(store::test::must(snapshot.statistics(space)).entries == 0U);
  }
}

BOOST_AUTO_TEST_CASE(what_a_snapshot_of_another_process_sees_remains_until_it_is_closed) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    record_others(store, 0);
    record_secret(store, markers, 0);
  }
  const store::test::Line ready;
  store::test::Line go_on;
  store::test::Child child([&] {
    go_on.close_writing();
    const Store reader(folder.file());
    tl_snapshot* snapshot = nullptr;
    must(tl_snapshot_open(reader.get(), &snapshot));
    const std::string before = reader.export_all(snapshot);
    ready.send('r');
    (void)go_on.receive();
    const bool is_same = reader.export_all(snapshot) == before;
    tl_snapshot_close(snapshot);
    return is_same ? 0 : 1;
  });
  BOOST_REQUIRE(ready.receive() == 'r');
  const Store store(folder.file());
  const Answer answer = delete_securely(store, of_secret_user(), 30);
  expect(answer.status, TL_TIMEOUT, "snapshots");
  BOOST_TEST(answer.report.trace_count == 1U);
  BOOST_TEST(answer.report.remaining_size_bytes > 0U);
  BOOST_TEST(!markers.found_in(folder.file()).empty());
  go_on.close_writing();
  BOOST_TEST(child.wait() == 0);
  const Answer again = delete_securely(store, of_secret_user(), 0);
  must(again.status);
  BOOST_TEST(again.report.trace_count == 0U);
  BOOST_TEST(again.report.remaining_size_bytes == 0U);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  store.check();
}

// Its own two commits, and no index for each.
BOOST_AUTO_TEST_CASE(asking_again_while_a_snapshot_is_open_does_not_make_the_file_grow) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  const Store store(folder.file());
  record_others(store, 0);
  record_secret(store, markers, 0);
  tl_snapshot* snapshot = nullptr;
  must(tl_snapshot_open(store.get(), &snapshot));
  BOOST_TEST(delete_securely(store, of_secret_user(), 0).status == TL_TIMEOUT);
  for (int i = 0; i < 6; ++i) {
    const std::uint64_t before = store.statistics().commit_number;
    BOOST_TEST(delete_securely(store, of_secret_user(), 0).status == TL_TIMEOUT);
    BOOST_TEST(store.statistics().commit_number == before + 2);
  }
  tl_snapshot_close(snapshot);
  must(delete_securely(store, of_secret_user(), 0).status);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
}

BOOST_AUTO_TEST_CASE(it_waits_until_a_snapshot_is_closed) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  const Store store(folder.file());
  record_secret(store, markers, 0);
  record_others(store, 0);
  const store::test::Line ready;
  store::test::Child child([&] {
    const Store reader(folder.file());
    tl_snapshot* snapshot = nullptr;
    must(tl_snapshot_open(reader.get(), &snapshot));
    ready.send('r');
    // Closed once the deletion can be seen.
    wait_until(reader, [&] { return reader.statistics().trace_count == 100; });
    tl_snapshot_close(snapshot);
    return 0;
  });
  BOOST_REQUIRE(ready.receive() == 'r');
  must(delete_securely(store, of_secret_user(), UINT32_MAX).status);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(of_a_compacted_file_nothing_stays_in_what_is_packed_anew) {
  Markers markers(store::test::random_seed());
  const Folder folder(fast_folder());
  const Store store(folder.file());
  record_secret(store, markers, 0);
  record_others(store, 0);
  must(tl_compact(store.get(), nullptr, nullptr));
  record_others(store, 100);
  must(delete_securely(store, of_secret_user(), 0).status);
  BOOST_TEST(markers.found_in(folder.file()) == std::vector<std::string>());
  // No block that was made when it was there, and no patch over one.
  const auto environment = store::test::open_file(folder.file());
  BOOST_TEST(store::test::must(store::zero_unused_bytes(*environment)) == 0U);
  store.check();
}

BOOST_AUTO_TEST_CASE(arguments_that_make_no_sense_are_refused) {
  const Folder folder(fast_folder());
  const Store store(folder.file());
  expect(tl_delete_securely(nullptr, nullptr, 0, nullptr, nullptr, nullptr), TL_MISUSE, "store");
  expect(tl_delete_securely(store.get(), nullptr, 0, nullptr, nullptr, nullptr), TL_MISUSE,
         "filter");
  const tl_filter none = filter();
  expect(tl_delete_securely(store.get(), &none, 0, nullptr, nullptr, nullptr), TL_INVALID,
         "everything", "filter");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::retention::test

// Random ids: their form, and that they can be made whatever the threads of a parent were doing.
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ingest/live_observation.hpp"
#include "store/helpers.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::ingest::test {
namespace {

bool is_id(const std::string& id, std::size_t size) {
  return id.size() == size && id.find_first_not_of("0123456789abcdef") == std::string::npos &&
         id.find_first_not_of('0') != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(ids_have_the_form_of_w3c_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string trace_id = random_trace_id();
    const std::string observation_id = random_observation_id();
    BOOST_TEST_REQUIRE(is_id(trace_id, 32));
    BOOST_TEST_REQUIRE(is_id(observation_id, 16));
    BOOST_TEST_REQUIRE(seen.insert(trace_id).second);
    BOOST_TEST_REQUIRE(seen.insert(observation_id).second);
  }
}

BOOST_AUTO_TEST_CASE(children_make_other_ids_while_threads_of_their_parent_make_some,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  std::vector<std::jthread> busy;
  for (int i = 0; i < 3; ++i) {
    busy.emplace_back([](const std::stop_token& stop) {
      while (!stop.stop_requested()) static_cast<void>(random_trace_id());
    });
  }
  std::set<std::string> seen;
  for (int round = 0; round < 200; ++round) {
    const store::test::Line line;
    store::test::Child child([&] {
      alarm(60);
      for (const char letter : random_trace_id()) line.send(letter);
      return 0;
    });
    BOOST_TEST_REQUIRE(child.wait() == 0);
    std::string id;
    while (id.size() < 32) id.push_back(line.receive());
    BOOST_TEST_REQUIRE(is_id(id, 32));
    BOOST_TEST_REQUIRE(seen.insert(id).second);
    BOOST_TEST_REQUIRE(seen.insert(random_trace_id()).second);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test

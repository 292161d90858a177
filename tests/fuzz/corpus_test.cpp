// The targets of fuzz/ without libFuzzer: each runs its corpus, and mutations of it. An input that
// ends the process lies in the file that was named before.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "support/random_seed.hpp"
#include "support/torture.hpp"

#define TL_FUZZ_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t*, std::size_t);
#include "fuzz_targets.inc"
#undef TL_FUZZ_TARGET

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);
constexpr std::size_t kInputSizeBytesMax = std::size_t{16} << 10;
constexpr std::chrono::milliseconds kMutatedFor{800};
// They share the time of `./dev torture`.
constexpr int kTargetCount = 0
#define TL_FUZZ_TARGET(name) +1
#include "fuzz_targets.inc"
#undef TL_FUZZ_TARGET
    ;

std::vector<std::string> corpus_of(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(TL_TESTS_DIR "/../fuzz/corpus/" + name)) {
    paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

void run(Target target, const std::string& input) {
  // A copy of exactly its size, so that the address sanitizer sees its end.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  target(bytes.data(), bytes.size());
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, const std::vector<std::string>& corpus)
      : engine_(seed), corpus_(corpus) {}

  std::string next() {
    std::string input = corpus_[below(corpus_.size())];
    for (std::size_t left = 1 + below(4); left > 0; --left) mutate(input);
    return input.substr(0, kInputSizeBytesMax);
  }

 private:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }
  // A piece of the input of a few bytes.
  std::pair<std::size_t, std::size_t> piece(const std::string& input) {
    const std::size_t at = below(input.size() + 1);
    return {at, std::min(below(32), input.size() - at)};
  }
  void mutate(std::string& input) {
    static constexpr char kTelling[] = {0, 1, 2, 127, '\x80', '\xff', '"', '\\', '{', '}'};
    const auto [at, size_bytes] = piece(input);
    switch (below(6)) {
      case 0:
        if (at < input.size()) {
          input[at] = static_cast<char>(input[at] ^ static_cast<char>(1U << below(8)));
        }
        break;
      case 1:
        if (at < input.size()) input[at] = kTelling[below(std::size(kTelling))];
        break;
      case 2:
        input.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 3:
        input.erase(at, size_bytes);
        break;
      case 4:
        input.insert(below(input.size() + 1), std::string(input, at, size_bytes));
        break;
      default: {
        const std::string& other = corpus_[below(corpus_.size())];
        const auto [from, count] = piece(other);
        input.replace(at, size_bytes, other, from, count);
      }
    }
  }

  std::mt19937_64 engine_;
  const std::vector<std::string>& corpus_;
};

void run_mutations(const std::string& name, Target target, const std::vector<std::string>& corpus) {
  const std::uint64_t seed = tracelite::test::random_seed();
  const std::string last = std::filesystem::temp_directory_path() / ("tracelite-fuzz-" + name);
  std::cout << "what ends the process lies in " << last << '\n';

  const tracelite::test::Torture torture("fuzz " + name);
  const std::chrono::milliseconds at_length = torture.duration();
  const auto mutated_for = torture.is_long() ? at_length / kTargetCount : kMutatedFor;
  Mutator mutator(seed, corpus);
  std::uint64_t cases = corpus.size();
  const auto end = std::chrono::steady_clock::now() + mutated_for;
  for (; std::chrono::steady_clock::now() < end; ++cases) {
    const std::string input = mutator.next();
    std::ofstream(last, std::ios::binary | std::ios::trunc) << input;
    run(target, input);
  }
  std::filesystem::remove(last);
  torture.report(cases, 0, seed);
}

}  // namespace

#define TL_FUZZ_TARGET(name)                                           \
  BOOST_AUTO_TEST_CASE(name##_stands_its_corpus_and_mutations_of_it) { \
    const std::vector<std::string> corpus = corpus_of(#name);          \
    BOOST_REQUIRE(!corpus.empty());                                    \
    for (const std::string& input : corpus) run(fuzz_##name, input);   \
    run_mutations(#name, fuzz_##name, corpus);                         \
  }
#include "fuzz_targets.inc"

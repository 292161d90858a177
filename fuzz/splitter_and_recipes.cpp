// Aims at: lib/payload/splitter.cpp lib/payload/encoder.cpp lib/payload/recipe.cpp
//   lib/payload/group_reader.cpp lib/payload/group_writer.cpp lib/payload/group_format.cpp
//   lib/payload/segment_store.cpp lib/payload/group_check.cpp
//
// Payloads that share text, put into a group of a real file and read back, byte for byte: whole, in
// parts, before and behind the commit, after others of the group have gone.
//
// An input is a text and a program over it: each step puts a payload that is made of earlier ones
// and of the text, erases one, or commits.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "fuzz/input.hpp"
#include "payload/group_check.hpp"
#include "payload/group_writer.hpp"
#include "payload/payload_store.hpp"
#include "payload/splitter.hpp"
#include "store/packed_space.hpp"

namespace tracelite::fuzz {
namespace {

constexpr std::size_t kStepCountMax = 32;
constexpr std::size_t kPayloadSizeBytesMax = std::size_t{24} << 10;
constexpr std::size_t kGroupCount = 2;
// Many blocks of few entries.
constexpr store::Packing kSmallPacking{1, 1, std::size_t{24} << 10, 64};

// One file for all inputs: each one ends with a rollback of everything it did, unless it committed,
// and then takes its payloads out again.
class File {
 public:
  File() : environment_(must(store::Environment::open(folder_.file("groups.tl"), {}))) {}
  store::Environment& environment() { return *environment_; }

 private:
  Folder folder_;
  std::shared_ptr<store::Environment> environment_;
};

void check_split(Bytes bytes) {
  std::vector<payload::Piece> pieces;
  payload::split(bytes, 7, pieces);
  std::size_t end = 0;
  for (const payload::Piece& piece : pieces) {
    require(piece.offset == end, "pieces are without gaps");
    require(piece.size_bytes > 0 && piece.size_bytes <= payload::kPieceSizeBytesMax,
            "a piece has a size");
    end = piece.end();
  }
  require(end == bytes.size(), "pieces are all of the bytes");
}

class Run {
 public:
  Run(File& file, Bytes bytes) : file_(file), input_(bytes) {}

  void run() {
    // The last half is text, the first the program.
    const Bytes all = input_.rest();
    text_ = all.substr(all.size() / 2);
    program_ = Input(all.substr(0, all.size() / 2));
    begin();
    for (std::size_t step = 0; step < kStepCountMax && !program_.empty(); ++step) take_step();
    commit();
    begin();
    check_all(*transaction_);
    check_counts(*transaction_);
    for (const auto& [number, bytes] : stored_) must(writer_.erase(*transaction_, number));
    stored_.clear();
    check_counts(*transaction_);
    commit();
  }

 private:
  void begin() {
    transaction_.emplace(must(file_.environment().begin_write()));
    store::PackedSpaces::of(*transaction_).set_packing(kSmallPacking);
  }
  void commit() {
    must(writer_.flush(*transaction_));
    must(transaction_->commit());
    transaction_.reset();
  }

  void take_step() {
    switch (program_.below(8)) {
      case 0:
        commit();
        begin();
        break;
      case 1:
        commit();
        writer_.forget();
        begin();
        check_all(*transaction_);
        break;
      case 2:
        erase();
        break;
      case 3:
        check_all(*transaction_);
        break;
      default:
        put();
    }
  }

  // A range of bytes by two numbers, whatever they are.
  static Bytes range_of(Bytes bytes, std::uint64_t from, std::uint64_t size) {
    if (bytes.empty()) return {};
    return bytes.substr(from % bytes.size(), size);
  }
  std::string make_payload() {
    std::string bytes;
    for (std::size_t parts = 1 + program_.below(4); parts > 0; --parts) {
      const std::uint64_t from = program_.number(2);
      const std::uint64_t size = program_.number(2);
      if (program_.below(3) == 0 && !stored_.empty()) {
        auto at = stored_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(program_.byte() % stored_.size()));
        bytes += range_of(at->second, from, size);
      } else {
        const std::string piece(range_of(text_, from, size));
        for (std::size_t times = 1 + program_.below(8); times > 0; --times) bytes += piece;
      }
    }
    return bytes.substr(0, kPayloadSizeBytesMax);
  }
  void put() {
    const payload::GroupNumber group = 1 + program_.below(kGroupCount);
    std::string bytes = make_payload();
    check_split(bytes);
    const auto number = must(writer_.put(*transaction_, group, bytes));
    require(!stored_.contains(number), "a payload has a number of its own");
    stored_.emplace(number, std::move(bytes));
    check(*transaction_, number);
  }
  void erase() {
    if (stored_.empty()) return;
    auto at = stored_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(program_.byte() % stored_.size()));
    must(writer_.erase(*transaction_, at->first));
    stored_.erase(at);
  }

  void check(const store::Transaction& transaction, payload::PayloadNumber number) {
    const payload::PayloadReader reader(transaction);
    const std::string& bytes = stored_.at(number);
    require(must(reader.size_bytes(number)) == bytes.size(), "a payload has its size");
    require(must(reader.read_all(number)) == bytes, "a payload comes back as it was");
    const std::uint64_t from = program_.number(2) % (bytes.size() + 1);
    const std::uint64_t size = program_.number(2);
    std::string part;
    must(reader.read(number, from, size, part));
    require(part == bytes.substr(from, size), "a part of a payload comes back as it was");
  }
  void check_all(const store::Transaction& transaction) {
    for (const auto& [number, bytes] : stored_) check(transaction, number);
  }
  void check_counts(store::WriteTransaction& transaction) {
    must(writer_.flush(transaction));
    std::map<payload::GroupNumber, std::uint64_t> counts;
    for (const auto& [number, bytes] : stored_) {
      if ((number & payload::kInGroup) != 0) ++counts[payload::group_position(number).group];
    }
    must(payload::check_groups(transaction, counts, [](Bytes where, Bytes message) {
      fail(std::string(where) + ": " + std::string(message));
    }));
  }

  File& file_;
  Input input_;
  Bytes text_;
  Input program_{{}};
  payload::PayloadWriter writer_;
  std::optional<store::WriteTransaction> transaction_;
  std::map<payload::PayloadNumber, std::string> stored_;
};

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static File file;
  Run(file, as_bytes(data, size_bytes)).run();
  return 0;
}

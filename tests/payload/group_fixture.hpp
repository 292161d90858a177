// A real file with groups of payloads, and what must hold in it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "payload/group_check.hpp"
#include "payload/store_fixture.hpp"
#include "store/packed_space.hpp"

namespace tracelite::test {

inline constexpr store::KeySpace kFrame = store::KeySpace::frame;
inline constexpr store::KeySpace kSegment = store::KeySpace::segment;
inline constexpr store::KeySpace kSegmentBytes = store::KeySpace::segment_bytes;
inline constexpr store::KeySpace kGroupSpaces[] = {kFrame, kSegment, kSegmentBytes};
// What is in the file of these are blocks of entries.
inline constexpr store::KeySpace kPackedSpaces[] = {kFrame, kSegmentBytes};

// Entries of a key space, packed or not, changed in a transaction.
inline void put_entry(store::WriteTransaction& transaction, store::KeySpace space, Bytes key,
                      Bytes value) {
  need(store::is_packed(space) ? store::PackedSpace::of(transaction, space).put(key, value)
                               : transaction.put(space, key, value));
}
inline void erase_entry(store::WriteTransaction& transaction, store::KeySpace space, Bytes key) {
  BOOST_REQUIRE(need(store::is_packed(space) ? store::PackedSpace::of(transaction, space).erase(key)
                                             : transaction.erase(space, key)));
}

class GroupFixture : public StoreFixture {
 public:
  using StoreFixture::put;

  // Puts payloads in one transaction, and remembers them.
  std::vector<PayloadNumber> put_all(GroupNumber group, const std::vector<std::string>& payloads) {
    auto transaction = begin();
    std::vector<PayloadNumber> numbers;
    for (const std::string& bytes : payloads) {
      numbers.push_back(need(writer.put(transaction, group, bytes)));
      stored[numbers.back()] = bytes;
    }
    commit(transaction);
    return numbers;
  }
  void erase_all(const std::vector<PayloadNumber>& numbers) {
    auto transaction = begin();
    for (const PayloadNumber number : numbers) {
      need(writer.erase(transaction, number));
      stored.erase(number);
    }
    commit(transaction);
  }
  void check_stored() {
    const auto snapshot = need(environment->begin_read());
    const PayloadReader reader(snapshot);
    for (const auto& [number, bytes] : stored) {
      BOOST_REQUIRE(need(reader.size_bytes(number)) == bytes.size());
      BOOST_REQUIRE(need(reader.read_all(number)) == bytes);
    }
  }

  // What check_groups finds if the records refer to what is in `stored`.
  std::vector<std::string> findings() {
    const auto snapshot = need(environment->begin_read());
    return findings(snapshot);
  }
  std::vector<std::string> findings(const store::Transaction& transaction) {
    std::map<GroupNumber, std::uint64_t> counts;
    for (const auto& [number, bytes] : stored) {
      if ((number & payload::kInGroup) != 0) ++counts[payload::group_position(number).group];
    }
    std::vector<std::string> found;
    const Status status =
        payload::check_groups(transaction, counts, [&](Bytes where, Bytes message) {
          found.push_back(std::string(where) + ": " + std::string(message));
        });
    if (code_of(status) == Code::corrupt) {
      found.push_back(status.error().message);
    } else {
      need(status);
    }
    return found;
  }

  // Everything in a key space, as who reads its entries sees it.
  using Entries = std::vector<std::pair<std::string, std::string>>;
  static Entries content(const store::Transaction& transaction, store::KeySpace space) {
    if (!store::is_packed(space)) return values(transaction, space);
    store::PackedCursor cursor(transaction, space);
    return all(cursor);
  }
  Entries content(store::KeySpace space) { return content(need(environment->begin_read()), space); }
  // Everything in a key space as it lies in the file: blocks, if it is packed.
  static Entries values(const store::Transaction& transaction, store::KeySpace space) {
    store::Cursor cursor = transaction.cursor(space);
    return all(cursor);
  }
  Entries values(store::KeySpace space) { return values(need(environment->begin_read()), space); }
  // Bytes of keys and values that groups take in the file.
  std::size_t stored_size() { return size_of(&GroupFixture::values); }
  // The same before it is compressed.
  std::size_t entry_size() { return size_of(&GroupFixture::content); }

  // What is in the file, as it lies there.
  void put_raw(store::KeySpace space, Bytes key, Bytes value) {
    auto transaction = begin();
    need(transaction.put(space, key, value));
    need(transaction.commit());
    writer.forget();
  }

  std::map<PayloadNumber, std::string> stored;

 private:
  template <class Cursor>
  static Entries all(Cursor& cursor) {
    Entries out;
    for (bool more = need(cursor.seek({})); more; more = need(cursor.next())) {
      out.emplace_back(cursor.key(), cursor.value());
    }
    return out;
  }
  std::size_t size_of(Entries (GroupFixture::*of)(store::KeySpace)) {
    std::size_t sum = 0;
    for (const store::KeySpace space : kGroupSpaces) {
      for (const auto& [key, value] : (this->*of)(space)) sum += key.size() + value.size();
    }
    return sum;
  }
};

}  // namespace tracelite::test

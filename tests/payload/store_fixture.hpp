// A real file for the tests of stored payloads, and bytes to put into it.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>

#include "payload/payload_store.hpp"
#include "payload/random_json.hpp"
#include "store/small_packing.hpp"

namespace tracelite::test {

using payload::GroupNumber;
using payload::PayloadNumber;
using payload::PayloadReader;
using payload::PayloadWriter;

// A value, or the test stops.
template <class T>
T need(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : result.error().message));
  return std::move(result).value();
}
inline void need(Status status) {
  BOOST_REQUIRE_MESSAGE(status.ok(), (status.ok() ? "" : status.error().message));
}

template <class T>
Code code_of(const T& outcome) {
  return outcome.ok() ? Code::ok : outcome.error().code;
}

inline std::string key_of(PayloadNumber number, std::uint64_t slice, std::uint64_t piece) {
  std::string key;
  append_big_endian(key, number, 6);
  append_big_endian(key, slice, 4);
  append_big_endian(key, piece, 2);
  return key;
}

// How often to do something of which `count` times is right for a release build: less where the
// program is slow, more as TL_TEST_SCALE says.
inline std::size_t scaled(std::size_t count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  double scale = 0.1;
#else
  double scale = 1;
#endif
  if (const char* given = std::getenv("TL_TEST_SCALE")) scale *= std::strtod(given, nullptr);
  return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(count) * scale));
}

class StoreFixture {
 public:
  StoreFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tl-payload-XXXXXX").string();
    BOOST_REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    path = folder_ + "/store.tl";
    open();
  }
  ~StoreFixture() {
    environment.reset();
    std::filesystem::remove_all(folder_);
  }

  void open() { environment = need(store::Environment::open(path, {})); }
  void close() { environment.reset(); }

  store::WriteTransaction begin() {
    store::WriteTransaction transaction = need(environment->begin_write());
    store::PackedSpaces::of(transaction).set_packing(store::test::kSmallPacking);
    return transaction;
  }

  PayloadNumber put(Bytes bytes) {
    auto transaction = begin();
    const PayloadNumber number = need(writer.put(transaction, bytes));
    need(transaction.commit());
    return number;
  }
  void append(PayloadNumber number, Bytes bytes) {
    auto transaction = begin();
    need(writer.append(transaction, number, bytes));
    need(transaction.commit());
  }
  // One value under a payload's key, as a stranger may have written it.
  void put_value(PayloadNumber number, std::uint64_t slice, std::uint64_t piece, Bytes value) {
    auto transaction = begin();
    need(transaction.put(store::KeySpace::payload, key_of(number, slice, piece), value));
    need(transaction.commit());
  }
  void erase_value(PayloadNumber number, std::uint64_t slice, std::uint64_t piece) {
    auto transaction = begin();
    BOOST_REQUIRE(need(transaction.erase(store::KeySpace::payload, key_of(number, slice, piece))));
    need(transaction.commit());
  }
  Status erase(PayloadNumber number) {
    auto transaction = begin();
    TL_TRY(writer.erase(transaction, number));
    TL_TRY(writer.flush(transaction));
    return transaction.commit();
  }

  // Payloads that share text with their group.
  PayloadNumber put(GroupNumber group, Bytes bytes) {
    auto transaction = begin();
    const PayloadNumber number = need(writer.put(transaction, group, bytes));
    commit(transaction);
    return number;
  }
  // As the writer thread does.
  void commit(store::WriteTransaction& transaction) {
    need(writer.flush(transaction));
    need(transaction.commit());
  }

  Result<std::string> read_all(PayloadNumber number) {
    auto transaction = need(environment->begin_read());
    return PayloadReader(transaction).read_all(number);
  }
  Result<std::uint64_t> size(PayloadNumber number) {
    auto transaction = need(environment->begin_read());
    return PayloadReader(transaction).size_bytes(number);
  }
  std::uint64_t entries(store::KeySpace space = store::KeySpace::payload) {
    auto transaction = need(environment->begin_read());
    return need(transaction.statistics(space)).entries;
  }

  // The file as it is, and as it was.
  std::string copy_of_file() {
    close();
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    open();
    return bytes;
  }
  void restore_file(Bytes bytes) {
    close();
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    writer.forget();
    open();
  }

  // Turns one bit in the closed file wherever it holds `bytes` (LMDB leaves old copies of pages).
  void damage(Bytes bytes) {
    close();
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    file.clear();
    std::size_t at = content.find(bytes);
    BOOST_REQUIRE(at != std::string::npos);
    for (; at != std::string::npos; at = content.find(bytes, at + 1)) {
      file.seekp(static_cast<std::streamoff>(at + bytes.size() / 2));
      file.put(static_cast<char>(content[at + bytes.size() / 2] ^ 0x10));
    }
    file.close();
    open();
  }

  std::string path;
  std::shared_ptr<store::Environment> environment;
  PayloadWriter writer;

 private:
  std::string folder_;
};

inline std::string random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string out(size, '\0');
  for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(out.data() + at, &word, std::min(sizeof word, size - at));
  }
  return out;
}

// Text that zstd makes about three times smaller.
inline std::string text_bytes(std::size_t size, std::uint64_t seed) {
  RandomJson random(seed);
  std::string out = "[";
  while (out.size() < size) out += random.value(3) + ",";
  out.resize(size);
  return out;
}

}  // namespace tracelite::test

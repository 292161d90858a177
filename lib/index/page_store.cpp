// See page_store.hpp.
#include "index/page_store.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace tracelite::index {
namespace {

using store::KeySpace;
using store::PackedSpace;

constexpr std::size_t kPageKeySizeBytes = 4;

std::string key_of(std::uint32_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

Result<std::uint32_t> number_of(Bytes key) {
  if (key.size() != kPageKeySizeBytes) {
    return make_error(Code::corrupt, "the index is damaged (a page has no number); reindex");
  }
  return static_cast<std::uint32_t>(read_big_endian(key));
}

Status seal(store::WriteTransaction& transaction, std::uint32_t number) {
  const std::string key = key_of(number);
  TL_TRY_ASSIGN(page, transaction.get(KeySpace::page, key));
  if (!page) return {};
  TL_TRY(PackedSpace::of(transaction, KeySpace::sealed_page).put(key, *page));
  TL_TRY(transaction.erase(KeySpace::page, key));
  return {};
}

}  // namespace

Result<std::optional<Bytes>> get_page(const store::Transaction& transaction, std::uint32_t number) {
  const std::string key = key_of(number);
  TL_TRY_ASSIGN(page, transaction.get(KeySpace::page, key));
  if (page) return page;
  return PackedSpace::of(transaction, KeySpace::sealed_page).get(key);
}

Status put_page(store::WriteTransaction& transaction, std::uint32_t number,
                std::span<const Bytes> parts) {
  const std::string key = key_of(number);
  TL_TRY_ASSIGN(page, transaction.get(KeySpace::page, key));
  if (!page) TL_TRY(PackedSpace::of(transaction, KeySpace::sealed_page).erase(key));
  return transaction.put(KeySpace::page, key, parts);
}

Status erase_pages_beyond(store::WriteTransaction& transaction, std::uint32_t page_count,
                          std::uint32_t page_count_before) {
  for (;;) {
    std::string key;
    {
      auto cursor = transaction.key_cursor(KeySpace::page);
      TL_TRY_ASSIGN(found, cursor.seek_last());
      if (!found) break;
      key = cursor.key();
    }
    TL_TRY_ASSIGN(number, number_of(key));
    if (number <= page_count) break;
    TL_TRY(transaction.erase(KeySpace::page, key));
  }
  for (std::uint32_t number = page_count + 1; number <= page_count_before; ++number) {
    TL_TRY(PackedSpace::of(transaction, KeySpace::sealed_page).erase(key_of(number)));
  }
  return {};
}

Status clear_pages(store::WriteTransaction& transaction) {
  TL_TRY(transaction.clear(KeySpace::page));
  return transaction.clear(KeySpace::sealed_page);
}

Result<std::optional<std::uint32_t>> seal_pages(store::WriteTransaction& transaction,
                                                std::uint32_t first, std::size_t page_count_max) {
  std::vector<std::uint32_t> numbers;
  std::optional<std::uint32_t> next;
  {
    auto cursor = transaction.key_cursor(KeySpace::page);
    TL_TRY_ASSIGN(found, cursor.seek(key_of(std::max<std::uint32_t>(first, 2))));
    for (bool more = found; more;) {
      TL_TRY_ASSIGN(number, number_of(cursor.key()));
      if (numbers.size() == page_count_max) {
        next = number;
        break;
      }
      numbers.push_back(number);
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
  }
  for (const std::uint32_t number : numbers) TL_TRY(seal(transaction, number));
  return next;
}

}  // namespace tracelite::index

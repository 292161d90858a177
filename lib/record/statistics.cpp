// Coding of the statistics and counters.
#include "record/statistics.hpp"

#include <string>

namespace tracelite::record {
namespace {

using store::KeySpace;

constexpr Bytes kStatisticsKey = "statistics";
constexpr Bytes kCountersKey = "counters";

}  // namespace

Result<Statistics> read_statistics(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kStatisticsKey));
  Statistics statistics;
  if (!value) return statistics;
  ByteReader reader(*value);
  for (std::uint64_t* number :
       {&statistics.traces, &statistics.observations, &statistics.scores, &statistics.sessions,
        &statistics.users, &statistics.payload_size_bytes, &statistics.strays}) {
    *number = reader.big_endian(8);
  }
  if (reader.failed()) return make_error(Code::corrupt, "the statistics are damaged");
  return statistics;
}

Status write_statistics(store::WriteTransaction& transaction, const Statistics& statistics) {
  std::string value;
  for (const std::uint64_t number :
       {statistics.traces, statistics.observations, statistics.scores, statistics.sessions,
        statistics.users, statistics.payload_size_bytes, statistics.strays}) {
    append_big_endian(value, number);
  }
  return transaction.put(KeySpace::meta, kStatisticsKey, value);
}

Result<Counters> read_counters(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kCountersKey));
  Counters counters{};
  if (!value) return counters;
  ByteReader reader(*value);
  for (std::uint64_t& counter : counters) {
    if (reader.at_end()) break;  // written before this reason existed
    counter = reader.big_endian(8);
  }
  if (reader.failed()) return make_error(Code::corrupt, "the counters are damaged");
  return counters;
}

Status write_counters(store::WriteTransaction& transaction, const Counters& counters) {
  std::string value;
  for (const std::uint64_t counter : counters) append_big_endian(value, counter);
  return transaction.put(KeySpace::meta, kCountersKey, value);
}

}  // namespace tracelite::record

// Arithmetic that can be undone.
#include "index/day_sums.hpp"

#include <algorithm>

namespace tracelite::index {
namespace {

__extension__ using UInt128 = unsigned __int128;

void add_wrapping(model::Int128& sum, model::Int128 more) {
  sum = static_cast<model::Int128>(static_cast<UInt128>(sum) + static_cast<UInt128>(more));
}

model::Int128 negative(model::Int128 number) {
  return static_cast<model::Int128>(UInt128{0} - static_cast<UInt128>(number));
}

// What one observation adds: a trace of nothing else has the same sums.
DaySums sums_of(const Figures& observation) {
  TraceSums one;
  one.add(observation);
  DaySums sums;
  sums.level_counts = one.level_counts;
  sums.unfinished_count = one.unfinished_count;
  sums.input_tokens = one.input_tokens;
  sums.output_tokens = one.output_tokens;
  sums.total_tokens = one.total_tokens;
  sums.cost = one.cost;
  return sums;
}

std::uint64_t to_tokens(model::Int128 sum) {
  return static_cast<std::uint64_t>(std::clamp<model::Int128>(sum, 0, UINT64_MAX));
}

}  // namespace

void DaySums::add(const DaySums& other) {
  for (std::size_t i = 0; i < level_counts.size(); ++i) level_counts[i] += other.level_counts[i];
  unfinished_count += other.unfinished_count;
  add_wrapping(input_tokens, other.input_tokens);
  add_wrapping(output_tokens, other.output_tokens);
  add_wrapping(total_tokens, other.total_tokens);
  add_wrapping(cost, other.cost);
}

void DaySums::add(const Figures& observation) { add(sums_of(observation)); }

void DaySums::take_off(const Figures& observation) {
  DaySums sums = sums_of(observation);
  for (std::uint64_t& count : sums.level_counts) count = 0 - count;
  sums.unfinished_count = 0 - sums.unfinished_count;
  for (model::Int128* sum :
       {&sums.input_tokens, &sums.output_tokens, &sums.total_tokens, &sums.cost}) {
    *sum = negative(*sum);
  }
  add(sums);
}

TraceSums DaySums::saturated() const {
  TraceSums sums;
  sums.level_counts = level_counts;
  sums.unfinished_count = unfinished_count;
  sums.input_tokens = to_tokens(input_tokens);
  sums.output_tokens = to_tokens(output_tokens);
  sums.total_tokens = to_tokens(total_tokens);
  sums.cost = cost;
  return sums;
}

void DaySums::encode(std::string& out) const {
  for (const std::uint64_t count : level_counts) append_varint(out, count);
  append_varint(out, unfinished_count);
  for (const model::Int128 sum : {input_tokens, output_tokens, total_tokens, cost}) {
    model::append_int128(out, sum);
  }
}

DaySums DaySums::decode(Bytes coded) {
  DaySums sums;
  ByteReader reader(coded);
  for (std::uint64_t& count : sums.level_counts) count = reader.varint();
  sums.unfinished_count = reader.varint();
  for (model::Int128* sum :
       {&sums.input_tokens, &sums.output_tokens, &sums.total_tokens, &sums.cost}) {
    *sum = model::read_int128(reader);
  }
  return sums;
}

}  // namespace tracelite::index

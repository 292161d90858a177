// First the begin and the end of the payload are compared with recent ones, at the speed of memory:
// that is most of a history that grew. What is left between is split, and its pieces are looked up;
// a match is followed as far as the bytes agree, so that a thousand pieces in a row are one.
#include "payload/encoder.hpp"

#include <algorithm>

namespace tracelite::payload {
namespace {

constexpr std::uint32_t kMatchSizeBytesMin = 32;  // saying so costs up to a dozen bytes
// From this size on, what is between begin and end is looked for in the whole of the base.
constexpr std::uint32_t kLongMiddleSizeBytes = 2048;

std::uint64_t word_at(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

std::size_t common_prefix(Bytes a, Bytes b) {
  const std::size_t size = std::min(a.size(), b.size());
  std::size_t at = 0;
  while (at + 8 <= size && word_at(a.data() + at) == word_at(b.data() + at)) at += 8;
  while (at < size && a[at] == b[at]) ++at;
  return at;
}

std::size_t common_suffix(Bytes a, Bytes b) {
  const std::size_t size = std::min(a.size(), b.size());
  std::size_t at = 0;
  const char* a_end = a.data() + a.size();
  const char* b_end = b.data() + b.size();
  while (at + 8 <= size && word_at(a_end - at - 8) == word_at(b_end - at - 8)) at += 8;
  while (at < size && a_end[-1 - static_cast<std::ptrdiff_t>(at)] ==
                          b_end[-1 - static_cast<std::ptrdiff_t>(at)]) {
    ++at;
  }
  return at;
}

}  // namespace

Result<std::uint64_t> Encoder::run() {
  choose_base();
  add(Source::base, prefix_, 0);
  TL_TRY(encode_middle());
  if (suffix_ > 0) add(Source::base, suffix_, base_->recipe->size_bytes - suffix_);
  if (base_ != nullptr) recipe_.base = base_->recipe;
  settle_base(recipe_);
  if (recipe_.operations.size() > kOperationCountMax) TL_TRY(start_anew());
  append_recipe(group_.window, group_.window_start, recipe_, payload_);
  learn_literals(recipe_);
  const std::uint64_t position = recipe_.position;
  if (payload_.size() >= kRecentPayloadSizeBytesMin) remember(std::move(recipe_));
  return position;
}

// Its slots stay in the group, whoever uses them.
Status Encoder::start_anew() {
  recipe_ = {};
  base_ = nullptr;
  prefix_ = 0;
  suffix_ = 0;
  next_piece_ = 0;
  split(payload_, seed_, pieces_);
  return add_new(0, static_cast<std::uint32_t>(payload_.size()));
}

void Encoder::choose_base() {
  if (payload_.size() < kRecentPayloadSizeBytesMin) return;
  for (RecentPayload& recent : group_.recent) {
    const std::size_t prefix = common_prefix(payload_, recent.bytes);
    const std::size_t suffix =
        common_suffix(payload_.substr(prefix), Bytes(recent.bytes).substr(prefix));
    const bool better = base_ == nullptr || prefix + suffix > prefix_ + suffix_ ||
                        (prefix + suffix == prefix_ + suffix_ && recent.last_use > base_->last_use);
    if (!better) continue;
    base_ = &recent;
    prefix_ = static_cast<std::uint32_t>(prefix);
    suffix_ = static_cast<std::uint32_t>(suffix);
  }
  if (prefix_ < kMatchSizeBytesMin) prefix_ = 0;
  if (suffix_ < kMatchSizeBytesMin) suffix_ = 0;
}

Status Encoder::encode_middle() {
  const std::uint32_t end = static_cast<std::uint32_t>(payload_.size()) - suffix_;
  split(payload_.substr(prefix_, end - prefix_), seed_, pieces_);
  for (Piece& piece : pieces_) piece.offset += prefix_;
  std::uint32_t done = prefix_;
  for (const Piece& piece : pieces_) {
    if (piece.offset < done || piece.size_bytes < kPieceSizeBytesMin) continue;
    TL_TRY_ASSIGN(match, find(piece, done));
    if (!match) continue;
    TL_TRY(add_new(done, match->begin));
    const Operation& operation = match->operation;
    add(operation.source, operation.size_bytes, operation.at, operation.slot);
    done = match->begin + operation.size_bytes;
  }
  return add_new(done, end);
}

// ------------------------------------------------------------------------------ what is there

Result<std::optional<Encoder::Match>> Encoder::find(const Piece& piece, std::uint32_t not_before) {
  const Bytes bytes = payload_.substr(piece.offset, piece.size_bytes);
  if (const auto match = find_in_base(bytes, piece, not_before)) return match;
  const auto known = group_.pieces.find(piece.hash);
  if (known == group_.pieces.end()) return std::optional<Match>();
  const Place place = known->second;
  if (place.slot == Place::kInLog) {
    if (place.at < group_.window_start) return std::optional<Match>();
    const std::size_t offset = place.at - group_.window_start;
    if (Bytes(group_.window).substr(offset, bytes.size()) != bytes) return std::optional<Match>();
    Match match = extend(piece, not_before, group_.window, offset);
    match.operation.source = Source::log;
    match.operation.at += group_.window_start;
    return std::optional(match);
  }
  const auto segment = segments_.read(transaction_, group_.slots[place.slot]);
  if (!segment && segment.error().code != Code::corrupt) return segment.error();
  if (!segment || place.at > segment->size() || segment->substr(place.at, bytes.size()) != bytes) {
    return std::optional<Match>();
  }
  Match match = extend(piece, not_before, *segment, place.at);
  match.operation.source = Source::segment;
  match.operation.slot = place.slot;
  return std::optional(match);
}

// Only for a long middle, whose text the base may have elsewhere: there it is in one run, whatever
// runs of the log it consists of.
std::optional<Encoder::Match> Encoder::find_in_base(Bytes bytes, const Piece& piece,
                                                    std::uint32_t not_before) {
  const std::size_t middle = payload_.size() - prefix_ - suffix_;
  if (base_ == nullptr || middle < kLongMiddleSizeBytes) return std::nullopt;
  if (!base_->was_split) {
    base_->was_split = true;
    std::vector<Piece> pieces;
    split(base_->bytes, seed_, pieces);
    for (const Piece& one : pieces) {
      if (one.hash != 0) base_->pieces.emplace(one.hash, one.offset);
    }
  }
  const auto known = base_->pieces.find(piece.hash);
  if (known == base_->pieces.end()) return std::nullopt;
  if (Bytes(base_->bytes).substr(known->second, bytes.size()) != bytes) return std::nullopt;
  Match match = extend(piece, not_before, base_->bytes, known->second);
  match.operation.source = Source::base;
  return match;
}

Encoder::Match Encoder::extend(const Piece& piece, std::uint32_t not_before, Bytes there,
                               std::size_t offset) const {
  const Bytes here = payload_.substr(0, payload_.size() - suffix_);
  const std::size_t forward = common_prefix(here.substr(piece.offset), there.substr(offset));
  const std::size_t backward =
      common_suffix(here.substr(not_before, piece.offset - not_before), there.substr(0, offset));
  Match match;
  match.begin = piece.offset - static_cast<std::uint32_t>(backward);
  match.operation.size_bytes = static_cast<std::uint32_t>(forward + backward);
  match.operation.at = offset - backward;
  return match;
}

// ------------------------------------------------------------------------------ what is new

Status Encoder::add_new(std::uint32_t from, std::uint32_t to) {
  while (next_piece_ < pieces_.size() && pieces_[next_piece_].offset < from) ++next_piece_;
  std::uint32_t start = from;
  for (; next_piece_ < pieces_.size() && pieces_[next_piece_].end() <= to; ++next_piece_) {
    if (to - start < kSegmentSizeBytesMin) break;
    const Piece& piece = pieces_[next_piece_];
    const std::uint32_t size_bytes = piece.end() - start;
    if (size_bytes < kSegmentSizeBytesMin) continue;
    const bool good_place = piece.ends_structure || (piece.hash & 3) == 0;
    if (!good_place && size_bytes < 4 * kSegmentSizeBytesMin) continue;
    TL_TRY(add_segment(start, piece.end()));
    start = piece.end();
  }
  if (to > start) add(Source::literal, to - start, start);
  return {};
}

Status Encoder::add_segment(std::uint32_t from, std::uint32_t to) {
  const Bytes bytes = payload_.substr(from, to - from);
  TL_TRY_ASSIGN(interned, segments_.intern(transaction_, bytes, hash_of(bytes, seed_)));
  if (!interned) {
    add(Source::literal, to - from, from);
    return {};
  }
  const auto [known, is_new] =
      group_.slot_of.emplace(interned->number, static_cast<std::uint32_t>(group_.slots.size()));
  if (is_new) {
    TL_TRY(SegmentWriter::add_use(transaction_, *interned));
    group_.slots.push_back(interned->number);
  }
  const std::uint32_t slot = known->second;
  add(Source::segment, to - from, 0, slot);
  auto piece = std::lower_bound(pieces_.begin(), pieces_.end(), from,
                                [](const Piece& one, std::uint32_t at) { return one.offset < at; });
  for (; piece != pieces_.end() && piece->end() <= to; ++piece) {
    if (piece->hash != 0) group_.pieces[piece->hash] = {slot, piece->offset - from};
  }
  return {};
}

void Encoder::add(Source source, std::uint32_t size_bytes, std::uint64_t at, std::uint32_t slot) {
  if (size_bytes == 0) return;
  if (source == Source::literal && !recipe_.operations.empty()) {
    Operation& last = recipe_.operations.back();
    if (last.source == Source::literal && last.at + last.size_bytes == at) {
      last.size_bytes += size_bytes;
      return;
    }
  }
  recipe_.operations.push_back({source, size_bytes, slot, at});
}

// ------------------------------------------------------------------------------ for the next one

// The recipe's operations may have been written out anew, but its literals stay in order.
void Encoder::learn_literals(const Recipe& recipe) {
  std::uint64_t offset = 0;
  auto piece = pieces_.begin();
  for (const Operation& operation : recipe.operations) {
    const std::uint64_t end = offset + operation.size_bytes;
    if (operation.source == Source::literal) {
      while (piece != pieces_.end() && piece->offset < offset) ++piece;
      for (; piece != pieces_.end() && piece->end() <= end; ++piece) {
        if (piece->hash == 0) continue;
        group_.pieces[piece->hash] = {
            Place::kInLog, static_cast<std::uint32_t>(operation.at + (piece->offset - offset))};
      }
    }
    offset = end;
  }
}

// In place of the payload that it grew from, or of the one that was of no use for longest.
void Encoder::remember(Recipe recipe) {
  RecentPayload* kept = nullptr;
  const bool grew = base_ != nullptr && prefix_ + suffix_ >= base_->bytes.size() / 2;
  if (grew) {
    kept = base_;
  } else if (group_.recent.size() < kRecentCountMax) {
    kept = &group_.recent.emplace_back();
  } else {
    kept = &*std::min_element(
        group_.recent.begin(), group_.recent.end(),
        [](const RecentPayload& a, const RecentPayload& b) { return a.last_use < b.last_use; });
  }
  if (grew) {  // only what differs is copied
    kept->bytes.resize(prefix_);
    kept->bytes.append(payload_.substr(prefix_));
  } else {
    kept->bytes.assign(payload_);
  }
  kept->pieces.clear();
  kept->was_split = false;
  kept->recipe = std::make_shared<const Recipe>(std::move(recipe));
  kept->recipe_size_bytes = size_of_chain(*kept->recipe);
  kept->last_use = ++group_.recent_clock;
}

}  // namespace tracelite::payload

// The media of a batch: taken out of its events before the mask sees them, and put into the file in
// the transaction in which records refer to them.
//
// Knows which media the batch has brought, and where their bytes are. Must not know threads or when
// to commit. Belongs to one thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/event.hpp"
#include "payload/media_store.hpp"

namespace tracelite::ingest {

class MediaBatch {
 public:
  // `is_from_stranger`: the bytes of a medium that is in the file already may not be those of its
  // hash. Then they are looked at when it is used for the first time, and where they are others the
  // medium is stored anew.
  MediaBatch(payload::PayloadWriter& payloads, bool is_from_stranger)
      : payloads_(payloads), is_from_stranger_(is_from_stranger) {}

  // Forgets the batch before.
  void clear() { brought_.clear(); }
  // Puts references in the place of media and keeps these. Streamed text is left alone until it has
  // ended: a piece may hold half of a medium.
  void take_out(model::Event& event);

  // Media of these events whose bytes should be stored before, in transactions of their own,
  // because all of them are too much for one. `number` is 0 until they are, and then the pending
  // payload that they are. What the mask has taken away is not among them.
  struct Brought {
    payload::Medium medium;
    payload::PayloadNumber number = 0;
    std::uint64_t since = 0;  // the transaction that began it
  };
  std::vector<Brought*> too_large(const std::vector<model::Event>& events,
                                  std::uint64_t size_bytes_max);

  // Whether the file has it. Errors: corrupt (its head), io, no_memory.
  Result<bool> is_in_file(const store::Transaction& transaction, Bytes hash);
  // At the begin of a transaction that writes these events: puts what they refer to and the file
  // does not have. None of it goes before drop_unused().
  Status put(store::WriteTransaction& transaction, const std::vector<model::Event>& events);
  // Takes the media out of a payload that came to be within the transaction: merged metadata, or a
  // stream that has ended.
  Status take_out(store::WriteTransaction& transaction, model::Register& reg);
  // At its end: what was put, or stored before, and nobody uses goes.
  Status drop_unused(store::WriteTransaction& transaction);

  // Media of a stranger's file whose bytes were looked at: that many hashes are remembered.
  static constexpr std::size_t kCheckedCountMax = 4096;

 private:
  // By hash.
  using OfEvents = std::map<Bytes, Brought*>;
  OfEvents brought_by(const std::vector<model::Event>& events);
  Status put_one(store::WriteTransaction& transaction, const payload::Medium& medium,
                 payload::PayloadNumber number, std::uint64_t since);
  Status store_one(store::WriteTransaction& transaction, const payload::Medium& medium,
                   payload::PayloadNumber number, std::uint64_t since);

  payload::PayloadWriter& payloads_;
  std::map<std::string, Brought, std::less<>> brought_;  // by hash
  // In the transaction at hand: hashes of what was put or was there, with one use until its end,
  // because an event may give the last other use back before the one that refers to it is applied;
  // and what its events bring.
  std::set<std::string, std::less<>> held_;
  OfEvents of_events_;
  const bool is_from_stranger_;
  std::set<std::string, std::less<>> checked_;  // have the bytes of their hash in the file
};

}  // namespace tracelite::ingest

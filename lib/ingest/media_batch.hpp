// The media of a batch: taken out of its events before the mask sees them, and put into the file in
// the transaction in which records refer to them.
//
// Knows which media the batch has brought, and where their bytes are. Must not know threads or when
// to commit. Belongs to one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/event.hpp"
#include "payload/media_store.hpp"

namespace tracelite::ingest {

class MediaBatch {
 public:
  explicit MediaBatch(payload::PayloadWriter& payloads) : payloads_(payloads) {}

  // Forgets the batch before.
  void clear() { brought_.clear(); }
  // Puts references in the place of media and keeps these. Streamed text is left alone until it has
  // ended: a piece may hold half of a medium.
  void take_out(model::Event& event);

  // Media whose bytes should be stored before, in transactions of their own, because all of them
  // are too much for one. `number` is 0 until they are, and then the pending payload that they are.
  struct Brought {
    payload::Medium medium;
    payload::PayloadNumber number = 0;
    std::uint64_t since = 0;  // the transaction that began it
  };
  std::vector<Brought*> too_large(std::uint64_t size_bytes_max);

  // At the begin of a transaction that writes these events: puts what they refer to and the file
  // does not have.
  Status put(store::WriteTransaction& transaction, const std::vector<model::Event>& events);
  // Takes the media out of a payload that came to be within the transaction: merged metadata, or a
  // stream that has ended.
  Status take_out(store::WriteTransaction& transaction, model::Register& reg);
  // At its end: what was put and nobody uses goes.
  Status drop_unused(store::WriteTransaction& transaction);

 private:
  struct Put {
    std::string hash;
    bool was_pending = false;
  };
  Status put_one(store::WriteTransaction& transaction, const payload::Medium& medium,
                 payload::PayloadNumber number, std::uint64_t since);

  payload::PayloadWriter& payloads_;
  std::map<std::string, Brought, std::less<>> brought_;  // by hash
  std::vector<Put> put_;                                 // in the transaction at hand
};

}  // namespace tracelite::ingest

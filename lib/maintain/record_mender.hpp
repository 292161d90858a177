// Makes a file sound whose trees are, but of whose values some are missing: what cannot be read is
// left out, so that everybody above can read the rest without meeting damage.
//
// Knows packed blocks, records and payloads. Must not know where the values come from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "maintain/maintain.hpp"
#include "model/entity.hpp"
#include "payload/payload_store.hpp"
#include "record/record_key.hpp"
#include "store/packed_space.hpp"

namespace tracelite::maintain {

struct MendReport {
  std::uint64_t payload_count = 0;  // of the records that stay
  std::uint64_t lost_block_count = 0;
  std::uint64_t lost_record_count = 0;   // that were found, and make no sense
  std::uint64_t lost_payload_count = 0;  // of records that stay: inputs, outputs, metadata
  std::uint64_t nameless_trace_count = 0;
};

// The id of a trace whose name is lost.
inline constexpr Bytes kNamelessTracePrefix = "salvaged-";

// The file belongs to nobody else; of its index and directory there must be nothing. Afterwards:
//  - every packed block decodes, and with it its patch; there is no patch without a block;
//  - every record decodes, lies where its id says, has a trace or session that it belongs to, and
//    is found by its id (the directory is built);
//  - every payload that a record refers to can be read, with its media. A field whose payload
//    cannot is taken from the record;
//  - an observation has trace-less events if it says so.
// A trace or session whose own record is lost gets a bare one, by the name that its scores or
// trace-less events know, or by a new one.
class RecordMender {
 public:
  RecordMender(store::Environment& file, const FindingFunction& finding,
               const ProgressFunction& progress)
      : file_(file), finding_(finding), progress_(progress) {}

  // Errors: cancelled, disk_full, io, no_memory.
  Result<MendReport> run();

 private:
  // Calls `work` in one write transaction after the other until it says that there is no more.
  template <class Work>
  Status in_commits(const Work& work);
  // From next_ on, some of them; if there are more, next_ is behind them then.
  Result<std::vector<std::string>> next_keys(const store::Transaction& transaction,
                                             store::KeySpace space);
  Result<bool> drop_patches_without_block(store::WriteTransaction& transaction);
  Result<bool> drop_damaged_blocks(store::WriteTransaction& transaction, store::KeySpace space);
  Result<bool> mend_some(store::WriteTransaction& transaction);
  Status mend_record(store::WriteTransaction& transaction, const std::string& key,
                     const std::string& record);
  Status ensure_header(store::WriteTransaction& transaction, record::ContainerNumber container);
  // True if there were any.
  Result<bool> drop_unreadable_payloads(const store::WriteTransaction& transaction,
                                        model::Entity& entity);
  Status check_payload(const store::WriteTransaction& transaction, const model::Register& reg);
  Status check_medium(const store::WriteTransaction& transaction, const std::string& hash);
  Result<bool> find_some(store::WriteTransaction& transaction);
  Status find_record(store::WriteTransaction& transaction, const record::RecordKey& key,
                     model::Entity& entity);
  Status check_stray(store::WriteTransaction& transaction, const record::RecordKey& key,
                     model::Entity& entity);
  Status lose_record(store::WriteTransaction& transaction, const std::string& key,
                     const std::string& why);
  Status advance();

  store::Environment& file_;
  const FindingFunction& finding_;
  const ProgressFunction& progress_;
  MendReport report_;
  std::string next_;  // the key to go on with
  record::ContainerNumber container_ = 0;
  bool has_header_ = false;
  record::ContainerNumber last_container_ = 0;
  std::map<std::string, bool> media_;  // by hash: whether it can be read
  std::uint64_t done_ = 0;
};

}  // namespace tracelite::maintain

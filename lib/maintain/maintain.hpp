// Long work on a whole file: checking it, deleting from it, rebuilding what is derived from the
// records, writing it anew, copying it, and bringing out of a damaged one what can be read.
//
// Knows records, payloads and the index. Must not know queues, queries or the C API.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "index/memory_image.hpp"
#include "model/result.hpp"
#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::maintain {

// `where` names the key space or table, `message` says what is wrong.
using FindingFunction = std::function<void(Bytes where, Bytes message)>;
// Returns true to cancel. total is 0 where it is not known.
using ProgressFunction = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// Checks LMDB's pages, every checksum, every record and payload, and the index against the records,
// at one snapshot. Progress counts pages. Errors: corrupt (something was found), cancelled, io,
// no_memory.
Status check(const std::shared_ptr<store::Environment>& environment, const FindingFunction& finding,
             const ProgressFunction& progress);

// `table` is empty but for SQLite's tables and indexes, which lie in the key space "page".
using SpaceFunction = std::function<void(Bytes key_space, Bytes table, std::uint64_t size_bytes)>;
// Tells where the bytes of the file are, in lines that add up to its size; "free" are pages that
// the next commits use, "lmdb" its own. Reads every page of the index. Errors: corrupt, io,
// no_memory.
Status space(const std::shared_ptr<store::Environment>& environment, const SpaceFunction& line);

// Drops index, directory and statistics, and makes them anew from the records, in one
// transaction. Errors: read_only, cancelled (nothing has changed), disk_full, corrupt, io.
Status reindex(const std::shared_ptr<store::Environment>& environment,
               const ProgressFunction& progress);

// Whether the index may be read. Errors: unsupported (it was made with another version of the
// schema, index/schema.hpp); in a file from a stranger also corrupt and others, where its tables
// are not ours (index/schema_check.hpp) or cannot be read; no_memory.
Status check_index_is_ours(store::ReadTransaction& transaction, bool from_stranger);

// As reindex where the index is not ours, and nothing where it is. `at_start` is called before it
// begins, as it may take long, and told why. Errors: those of reindex.
Status renew_index(const std::shared_ptr<store::Environment>& environment, bool from_stranger,
                   const std::function<void(Bytes why)>& at_start);

// An index of what the transaction sees, built in memory, where that of the file is not ours;
// nullptr where it is. Takes as long as reindex. Errors: corrupt, io, no_memory.
Result<std::shared_ptr<const index::MemoryImage>> index_in_memory(
    store::ReadTransaction& transaction, bool from_stranger);

// What could be seen before, and is gone.
struct DeleteReport {
  std::uint64_t traces = 0, observations = 0, scores = 0, sessions = 0;
};

// Deletes traces and sessions by the numbers of their containers, each with all that it has
// (container_eraser.hpp); sessions that a trace belongs to stay. Adds to the report what was
// deleted, also where it fails or is cancelled: that stays so. A damaged trace is left out, and
// told in the end. Progress counts containers. Errors: cancelled, read_only, disk_full, corrupt,
// io, no_memory.
Status delete_containers(const std::shared_ptr<store::Environment>& environment,
                         const std::vector<record::ContainerNumber>& containers,
                         const ProgressFunction& progress, DeleteReport& report);

// What is left of what was deleted.
struct SecureReport {
  std::uint64_t zeroed_bytes = 0;     // free pages, and bytes of others that nothing lies in
  std::uint64_t remaining_bytes = 0;  // free pages that snapshots can still reach
  // After a timeout: the last commit, if all since the index was made anew are of this deletion.
  std::uint64_t waits_at_commit = 0;
};
// As delete_containers, and then makes the index anew and overwrites what is free and unused in the
// file, as soon as no snapshot can reach it; waits for these so long at most (nullopt: without
// limit). The index is left as it is where `secure` comes from a call that timed out and nothing
// was committed since. Errors: timeout (something remains), and those of delete_containers, which
// may come when a part is overwritten.
Status delete_securely(const std::shared_ptr<store::Environment>& environment,
                       const std::vector<record::ContainerNumber>& containers,
                       std::optional<std::chrono::milliseconds> timeout,
                       const ProgressFunction& progress, DeleteReport& report,
                       SecureReport& secure);

// Writes the file anew from its records, so that nothing is in it but what they need, and puts that
// in its place under whoever uses it (store/replacement.hpp). Keys stay what they were; numbers of
// payloads do not. Progress counts steps. Errors: read_only, permission, unsupported (a second
// name), not_found (the file is not at its path any more), cancelled, disk_full, corrupt, io; the
// file is as it was then.
Status compact(const std::shared_ptr<store::Environment>& environment,
               const ProgressFunction& progress);

// What salvage has brought out, and what it has left behind.
struct SalvageReport {
  std::uint64_t traces = 0, observations = 0, scores = 0, sessions = 0, media = 0, payloads = 0;
  std::uint64_t lost_pages = 0, lost_values = 0, lost_records = 0, lost_payloads = 0;
  // Values and records that may be older than what was there.
  std::uint64_t doubtful_values = 0;
  [[nodiscard]] bool is_all() const {
    return lost_pages + lost_values + lost_records + lost_payloads + doubtful_values == 0;
  }
};

// Brings every record that can still be read out of a damaged file into a new one, which must not
// exist and is sound. The damaged one is only read, never by LMDB (store/page_salvage.hpp), and
// nobody else may have it open. `finding` is told what is left behind. Progress counts steps.
// Errors: not_tracelite (nothing in it is ours), newer_format, busy (somebody has it open), those
// of store::NewFile, cancelled, disk_full, io, no_memory; nothing is left of the new file then.
Result<SalvageReport> salvage(const std::string& path, const std::string& new_path,
                              const FindingFunction& finding, const ProgressFunction& progress);

// A copy of the newest commit as a file of its own, which must not exist; others go on reading and
// writing. Progress counts entries. Errors: those of store::back_up.
Status backup(const std::shared_ptr<store::Environment>& environment, const std::string& path,
              const ProgressFunction& progress);

}  // namespace tracelite::maintain

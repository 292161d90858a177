// Salvage: what can be read of a damaged file, in a new one that is sound.
//
//   the damaged file   every value that matches its checksum, read page by page
//   -> "values"        a file of ours with these values and intact trees; RecordMender leaves out
//                      what they do not suffice for
//   -> "scratch"       all of it written anew, as compacting does (rewriter.hpp), so that counts,
//                      index and directory are those of what is there
//   -> the new file    in the order of the keys
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "index/commit_number.hpp"
#include "maintain/record_mender.hpp"
#include "maintain/rewriter.hpp"
#include "model/media.hpp"
#include "store/errors.hpp"
#include "store/folder.hpp"
#include "store/guard.hpp"
#include "store/new_file.hpp"
#include "store/page_salvage.hpp"

namespace tracelite::maintain {
namespace {

using store::KeySpace;

constexpr std::uint64_t kCollectSizeBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kCollectRoomSizeBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kPageSizeBytes = 4096;  // about: for progress
constexpr std::chrono::milliseconds kDoorPatience{10'000};

// Reading the pages, and mending.
constexpr std::uint64_t kOwnParts = 2;

// The others are derived from these, or are this file's own business.
constexpr std::array<bool, store::kKeySpaceCount> kTruth = [] {
  std::array<bool, store::kKeySpaceCount> truth{};
  for (const KeySpace space :
       {KeySpace::meta, KeySpace::record, KeySpace::payload, KeySpace::frame,
        KeySpace::segment_bytes, KeySpace::dictionary, KeySpace::media, KeySpace::patch}) {
    truth[static_cast<std::size_t>(space)] = true;
  }
  return truth;
}();
constexpr std::array<Bytes, 3> kTruthOfMeta = {"counters", "next_container", "statistics"};

// Puts what is found into a file, in commits of bounded size.
class Collector {
 public:
  explicit Collector(store::Environment& file) : file_(file) {}

  Result<bool> take(const store::SalvagedValue& found) {
    if (found.space == KeySpace::meta &&
        std::ranges::find(kTruthOfMeta, found.key) == kTruthOfMeta.end()) {
      return true;
    }
    TL_TRY(begin());
    TL_TRY_ASSIGN(before, writing_->get(found.space, found.key));
    const bool is_new = !before;
    std::string name(1, static_cast<char>(found.space));
    name.append(found.key);
    if (before &&
        (found.is_certain || before->size() >= found.value.size() || !doubtful_.contains(name))) {
      return false;
    }
    TL_TRY(writing_->put(found.space, found.key, found.value));
    if (!found.is_certain) doubtful_.insert(std::move(name));
    if (writing_->put_size_bytes() >= kCollectSizeBytes) TL_TRY(commit());
    return is_new;
  }

  Status commit() {
    if (!writing_) return {};
    Status done = writing_->commit();
    writing_.reset();
    return done;
  }

 private:
  Status begin() {
    if (writing_) return {};
    TL_TRY(file_.make_room(kCollectRoomSizeBytes + store::kSalvagedValueSizeBytesMax));
    TL_TRY_ASSIGN(begun, file_.begin_write());
    writing_.emplace(std::move(begun));
    return {};
  }

  store::Environment& file_;
  std::optional<store::WriteTransaction> writing_;
  std::set<std::string> doubtful_;  // key space and key
};

class Salvager {
 public:
  Salvager(const std::string& path, store::NewFile& file, const FindingFunction& finding,
           const Steps& steps)
      : path_(path), new_file_(file), finding_(finding), steps_(steps) {}

  Result<SalvageReport> run(int descriptor);

 private:
  Status collect(int descriptor, store::Environment& values);
  Status mend(store::Environment& values);
  Status rewrite(store::Environment& values, store::Environment& scratch);
  Status count(const store::Transaction& before, const store::Transaction& after);

  const std::string& path_;
  store::NewFile& new_file_;
  const FindingFunction& finding_;
  const Steps& steps_;
  SalvageReport report_;
};

Status Salvager::collect(int descriptor, store::Environment& values) {
  Collector collector(values);
  const auto take = [&](const store::SalvagedValue& value) { return collector.take(value); };
  const auto progress = [this](std::uint64_t done, std::uint64_t total) {
    return steps_.cancels_own(0, done, total);
  };
  TL_TRY_ASSIGN(pages, store::salvage_pages(descriptor, path_, kTruth, index::commit_number(), take,
                                            finding_, progress));
  TL_TRY(collector.commit());
  report_.lost_pages = pages.damaged_page_count;
  report_.lost_values = pages.lost_value_count;
  report_.doubtful_values = pages.doubtful_value_count;
  if (pages.is_incomplete[static_cast<std::size_t>(KeySpace::patch)]) {
    ++report_.doubtful_values;
    finding_("patch", "some of the newest changes are lost: what they changed is as it was before");
  }
  return {};
}

Status Salvager::mend(store::Environment& values) {
  const ProgressFunction progress = [this](std::uint64_t done, std::uint64_t /*total*/) {
    return steps_.cancels_own(1, done, std::max(done, steps_.expected()));
  };
  TL_TRY_ASSIGN(mended, RecordMender(values, finding_, progress).run());
  report_.payloads = mended.payload_count;
  report_.lost_values += mended.lost_block_count;
  report_.lost_records = mended.lost_record_count;
  report_.lost_payloads = mended.lost_payload_count;
  return {};
}

// The statistics say what there was, if they can be read.
Status Salvager::count(const store::Transaction& before, const store::Transaction& after) {
  TL_TRY_ASSIGN(now, record::read_statistics(after));
  report_.traces = now.traces;
  report_.observations = now.observations;
  report_.scores = now.scores;
  report_.sessions = now.sessions;
  const auto was = record::read_statistics(before);
  if (!was) return {};
  std::uint64_t lost = 0;
  const auto add = [&](std::uint64_t then, std::uint64_t left, const char* what) {
    // A number that cannot be says nothing.
    if (then <= left || then > std::uint64_t{1} << 48) return;
    lost += then - left;
    finding_("record", std::to_string(then - left) + " of " + std::to_string(then) + ' ' + what +
                           " are lost");
  };
  add(was->traces, now.traces, "traces");
  add(was->observations, now.observations, "observations");
  add(was->scores, now.scores, "scores");
  add(was->sessions, now.sessions, "sessions");
  report_.lost_records = std::max(report_.lost_records, lost);
  return {};
}

Status Salvager::rewrite(store::Environment& values, store::Environment& scratch) {
  TL_TRY_ASSIGN(from, values.begin_read());
  std::uint64_t entry_count = 0;
  {
    Rewriter rewriter(from, scratch, steps_);
    TL_TRY(rewriter.run());
    entry_count = rewriter.entry_count();
  }
  TL_TRY_ASSIGN(content, scratch.begin_read());
  TL_TRY(count(from, content));
  store::Cursor media = content.key_cursor(KeySpace::media);
  TL_TRY_ASSIGN(first, media.seek({}));
  for (bool more = first; more;) {
    if (media.key().size() == model::kMediaHashSizeBytes) ++report_.media;
    TL_TRY_ASSIGN(again, media.next());
    more = again;
  }
  return new_file_.finish(
      content, [&](std::uint64_t done) { return steps_.cancels(2, done, entry_count); },
      store::kDensePacking);
}

Result<SalvageReport> Salvager::run(int descriptor) {
  TL_TRY_ASSIGN(values, new_file_.open_scratch("values"));
  TL_TRY(collect(descriptor, *values));
  TL_TRY(mend(*values));
  TL_TRY_ASSIGN(scratch, new_file_.open_scratch("scratch"));
  TL_TRY(rewrite(*values, *scratch));
  steps_.end();
  return report_;
}

}  // namespace

Result<SalvageReport> salvage(const std::string& given_path, const std::string& new_path,
                              const FindingFunction& finding, const ProgressFunction& progress) {
  TL_TRY_ASSIGN(path, store::real_path(given_path));
  TL_TRY_ASSIGN(guard, store::Guard::open_existing(path));
  // Nobody opens it meanwhile, and so nobody writes it.
  TL_TRY(guard.lock_door(kDoorPatience));
  // Opened for a child that is forked meanwhile as well: it inherits the descriptor.
  const store::Door door(guard);
  TL_TRY_ASSIGN(user, guard.other_user());
  if (user) {
    return make_error(Code::busy, path + " is open; close it where it is, or salvage a copy of it",
                      "path");
  }
  auto file = store::NewFile::begin(new_path, "salvage");
  if (!file) {
    Error error = std::move(file).error();
    if (!error.field.empty()) error.field = "new_path";
    return error;
  }
  struct stat status = {};
  if (fstat(guard.descriptor(), &status) != 0) return store::system_error(errno, "look at", path);
  const FindingFunction telling = [&finding](Bytes where, Bytes message) {
    if (finding) finding(where, message);
  };
  const Steps steps(progress, static_cast<std::uint64_t>(status.st_size) / kPageSizeBytes,
                    kOwnParts);
  return Salvager(path, **file, telling, steps).run(guard.descriptor());
}

}  // namespace tracelite::maintain

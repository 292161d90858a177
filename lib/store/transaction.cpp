// Transactions: gets and puts with their checksums, and the order in which a transaction ends.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/freed_pages.hpp"
#include "store/packed_space.hpp"
#include "store/page_layout.hpp"
#include "store/testing.hpp"

namespace tracelite::store {
namespace {

constexpr std::size_t kValueSizeBytesMax = 0xffffffff - kChecksumSizeBytes;  // LMDB's

// What is longer is not read where it is replaced or erased, which would take as long as reading
// it.
constexpr std::size_t kReadToEraseSizeBytesMax = std::size_t{64} << 10;

Status check_key(Bytes key) {
  if (key.empty()) return make_error(Code::invalid, "a key must not be empty", "key");
  if (key.size() > kKeySizeBytesMax) {
    return make_error(Code::limit,
                      "a key has " + std::to_string(key.size()) + " bytes; the limit is " +
                          std::to_string(kKeySizeBytesMax),
                      "key");
  }
  return {};
}

// LMDB has a value of a page or more in a run of pages of its own, behind the header of the first,
// and trusts the length that the entry says.
bool lies_in_its_run(Bytes stored, std::uint32_t page_size) {
  if (stored.size() < page_size) return true;
  layout::PageHeader header{};
  std::memcpy(&header, stored.data() - sizeof header, sizeof header);
  return (header.flags & layout::kOverflowPage) != 0 &&
         layout::overflow_page_count(stored.size(), page_size) <= layout::run_length_of(header);
}

// What a value has added to the sums; nullopt: it is damaged, and that cannot be told.
std::optional<std::uint64_t> added_checksum(KeySpace space, Bytes key, Bytes stored,
                                            std::uint32_t page_size) {
  if (!lies_in_its_run(stored, page_size)) return std::nullopt;
  if (stored.size() <= kReadToEraseSizeBytesMax) return matching_checksum(space, key, stored);
  return read_checksum(stored.data() + stored.size() - kChecksumSizeBytes);
}

Error over() { return make_error(Code::misuse, "the transaction is over"); }

}  // namespace

Error checksum_mismatch(KeySpace space, Bytes key, const std::string& path) {
  std::string message = path + " is damaged: the value of key ";
  message.append(hexadecimal(key)).append(" in key space ");
  message.append(kKeySpaceNames[static_cast<std::size_t>(space)]);
  message.append(" does not match its checksum");
  return make_error(Code::corrupt, std::move(message));
}

Result<Bytes> verify(KeySpace space, Bytes key, Bytes stored, const std::string& path) {
  if (!matching_checksum(space, key, stored)) return checksum_mismatch(space, key, path);
  return stored.substr(0, stored.size() - kChecksumSizeBytes);
}

// -------------------------------------------------------------------------------
// KeptCompanion

std::unique_ptr<Companion> KeptCompanion::take(std::uint64_t transaction) {
  std::unique_ptr<Companion> taken;
  const std::lock_guard lock(mutex_);
  taken = std::move(companion_);
  if (commit_ + 1 != transaction) taken.reset();
  return taken;
}

void KeptCompanion::keep(std::uint64_t commit, std::unique_ptr<Companion> companion) {
  const std::lock_guard lock(mutex_);
  commit_ = commit;
  companion_ = std::move(companion);
}

// -------------------------------------------------------------------------------
// Transaction::State

Transaction::State::~State() {
  if (transaction == nullptr) return;
  const bool foreign_thread = writes && thread != std::this_thread::get_id();
  if (file->forked() || foreign_thread) {
    for (Cursor::State* open : cursors) open->transaction = nullptr;
  }
  if (file->forked()) return;  // what LMDB has of it belongs to the parent
  if (foreign_thread) {
    // LMDB's mutex can only be given back by the thread that took it; aborting here would look
    // well and hang the next writer. Leave it held, and say so to everybody who comes.
    file->broken = true;
    return;
  }
  close_cursors();
  mdb_txn_abort(transaction);
  leave();
}

Status Transaction::State::usable() const {
  if (file->forked()) return file->usable();
  if (transaction == nullptr) return over();
  if (failed) return make_error(Code::misuse, "a put or erase of this transaction has failed");
  return {};
}

void Transaction::State::close_cursors() {
  for (Cursor::State* open : cursors) {
    mdb_cursor_close(open->cursor);
    open->cursor = nullptr;
    open->transaction = nullptr;
  }
  cursors.clear();
}

// Blocks of packed key spaces, patches and dictionaries that are written by themselves, as by a
// copy, are other ones than those in memory.
void Transaction::State::note_change(KeySpace space) {
  const bool is_of_blocks =
      is_packed(space) || space == KeySpace::patch || space == KeySpace::dictionary;
  if (is_committing || !is_of_blocks) return;
  auto& packed = companions[static_cast<std::size_t>(CompanionSlot::packed)];
  if (packed) static_cast<PackedSpaces&>(*packed).forget_unchanged();
}

void Transaction::State::keep_packed() {
  auto& packed = companions[static_cast<std::size_t>(CompanionSlot::packed)];
  if (!packed) return;
  static_cast<PackedSpaces&>(*packed).rest();
  file->kept.keep(id, std::move(packed));
}

void Transaction::State::leave() {
  transaction = nullptr;
  if (writes) {
    // LMDB's mutex is free already, so the next writer may have entered its name.
    std::thread::id mine = thread;
    file->writer.compare_exchange_strong(mine, std::thread::id{});
  }
  if (expirable) {
    file->traffic.leave(expire_entry);
  } else {
    file->traffic.leave();
  }
}

// --------------------------------------------------------------------------------------
// Transaction

Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
Transaction::~Transaction() = default;
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction& Transaction::operator=(Transaction&&) noexcept = default;

Status Transaction::usable() const {
  if (!state_) return over();
  return state_->usable();
}

std::uint64_t Transaction::id() const { return state_ ? state_->id : 0; }
std::uint64_t Transaction::file_number() const { return state_ ? state_->file->number : 0; }

Companions& Transaction::companions() const { return state_->companions; }
std::unique_ptr<Companion>& Transaction::companion(CompanionSlot slot) const {
  return state_->companions[static_cast<std::size_t>(slot)];
}

const std::shared_ptr<Environment>& Transaction::environment() const { return state_->environment; }

Result<std::optional<Bytes>> Transaction::get(KeySpace space, Bytes key) const {
  TL_TRY(usable());
  TL_TRY(check_key(key));
  OpenFile& owner = *state_->file;
  MDB_val engine_key = to_engine(key);
  MDB_val engine_value{};
  const int code = mdb_get(state_->transaction, owner.spaces[static_cast<std::size_t>(space)],
                           &engine_key, &engine_value);
  if (code == MDB_NOTFOUND) return std::optional<Bytes>{};
  if (code != 0) return owner.fail(code, "read", state_->map_number);
  TL_TRY_ASSIGN(value, verify(space, key, from_engine(engine_value), owner.path));
  return std::optional<Bytes>{value};
}

Cursor Transaction::cursor(KeySpace space) const {
  auto made = std::make_unique<Cursor::State>();
  made->space = space;
  if (usable()) {
    made->open_error = mdb_cursor_open(
        state_->transaction, state_->file->spaces[static_cast<std::size_t>(space)], &made->cursor);
    made->transaction = state_.get();
    state_->cursors.push_back(made.get());
  }
  return Cursor(std::move(made));
}

Cursor Transaction::key_cursor(KeySpace space) const {
  Cursor made = cursor(space);
  made.state_->keys_only = true;
  return made;
}

Result<KeySpaceStatistics> Transaction::statistics(KeySpace space) const {
  TL_TRY(usable());
  OpenFile& owner = *state_->file;
  MDB_stat found{};
  const int code =
      mdb_stat(state_->transaction, owner.spaces[static_cast<std::size_t>(space)], &found);
  if (code != 0) return owner.fail(code, "read", state_->map_number);
  return KeySpaceStatistics{found.ms_entries, found.ms_branch_pages, found.ms_leaf_pages,
                            found.ms_overflow_pages};
}

Result<FileUse> Transaction::file_use() const {
  TL_TRY(usable());
  OpenFile& owner = *state_->file;
  struct stat status = {};
  if (fstat(owner.guard.descriptor(), &status) != 0) {
    return system_error(errno, "look at", owner.path);
  }
  MDB_stat main{};
  const int code = mdb_env_stat(owner.engine.get(), &main);
  if (code != 0) return owner.fail(code, "read", state_->map_number);
  FileUse use;
  use.page_size_bytes = main.ms_psize;
  use.file_page_count = static_cast<std::uint64_t>(status.st_size) / main.ms_psize;

  TL_TRY(each_of_free_list(*state_,
                           [&](const FreedPages& freed) { use.free_page_count += freed.count; }));
  // Pages that were given up before they were ever written are beyond the file's end; and a commit
  // that was cut off has left some behind the last one.
  const std::uint64_t numbered = owner.information().me_last_pgno + 1;
  const std::uint64_t missing = numbered - std::min(numbered, use.file_page_count);
  use.free_page_count -= std::min(use.free_page_count, missing);
  use.free_page_count += use.file_page_count - std::min(numbered, use.file_page_count);
  return use;
}

// ------------------------------------------------------------------- ReadTransaction,
// WriteTransaction

ReadTransaction::ReadTransaction(std::unique_ptr<State> state) : Transaction(std::move(state)) {}
WriteTransaction::WriteTransaction(std::unique_ptr<State> state) : Transaction(std::move(state)) {}

Status WriteTransaction::put(KeySpace space, Bytes key, Bytes value) {
  return put(space, key, std::span<const Bytes>(&value, 1));
}

Status WriteTransaction::put(KeySpace space, Bytes key, std::span<const Bytes> parts) {
  TL_TRY(usable());
  TL_TRY(check_key(key));
  std::size_t size_bytes = 0;
  for (const Bytes part : parts) size_bytes += part.size();
  if (size_bytes > kValueSizeBytesMax) {
    return make_error(Code::limit, "a value has " + std::to_string(size_bytes) + " bytes", "value");
  }
  TL_TRY(take_from_sums(space, key));
  MDB_val engine_key = to_engine(key);
  MDB_val engine_value{size_bytes + kChecksumSizeBytes, nullptr};
  state_->note_change(space);
  int code = testing::check(testing::Point::put);
  if (code == 0) {
    code = mdb_put(state_->transaction, state_->file->spaces[static_cast<std::size_t>(space)],
                   &engine_key, &engine_value, MDB_RESERVE);
  }
  if (code != 0) {
    state_->failed = true;
    return state_->file->fail(code, "write", state_->map_number);
  }
  state_->has_written = true;
  auto* const start = static_cast<char*>(engine_value.mv_data);
  char* end = start;
  for (const Bytes part : parts) end = std::ranges::copy(part, end).out;
  const std::uint64_t sum = checksum(space, key, Bytes(start, size_bytes));
  write_checksum(end, sum);
  state_->sum_changes.put(space, key, sum);
  state_->put_size_bytes += key.size() + size_bytes;
  return {};
}

Result<bool> WriteTransaction::erase(KeySpace space, Bytes key) {
  TL_TRY(usable());
  TL_TRY(check_key(key));
  TL_TRY(take_from_sums(space, key));
  MDB_val engine_key = to_engine(key);
  state_->note_change(space);
  int code = testing::check(testing::Point::erase);
  if (code == 0) {
    code = mdb_del(state_->transaction, state_->file->spaces[static_cast<std::size_t>(space)],
                   &engine_key, nullptr);
  }
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) {
    state_->failed = true;
    return state_->file->fail(code, "write", state_->map_number);
  }
  state_->has_written = true;
  return true;
}

Status WriteTransaction::clear(KeySpace space) {
  TL_TRY(usable());
  state_->note_change(space);
  PackedSpaces::of(*this).forget(space);
  const int code =
      mdb_drop(state_->transaction, state_->file->spaces[static_cast<std::size_t>(space)], 0);
  if (code != 0) {
    state_->failed = true;
    return state_->file->fail(code, "write", state_->map_number);
  }
  state_->has_written = true;
  state_->sum_changes.cleared(space);
  return is_packed(space) ? clear_patches(space) : Status();
}

// Of what a put or erase is about to take away, if there is anything.
Status WriteTransaction::take_from_sums(KeySpace space, Bytes key) {
  MDB_val engine_key = to_engine(key);
  MDB_val stored{};
  const int code =
      mdb_get(state_->transaction, state_->file->spaces[static_cast<std::size_t>(space)],
              &engine_key, &stored);
  if (code == 0) {
    const auto page_size = static_cast<std::uint32_t>(state_->file->page_size_bytes);
    state_->sum_changes.removed(space, key,
                                added_checksum(space, key, from_engine(stored), page_size));
  } else if (code != MDB_NOTFOUND) {
    state_->failed = true;
    return state_->file->fail(code, "read", state_->map_number);
  }
  return {};
}

// Damaged sums, and those of a file that has none, stay as they are.
Status WriteTransaction::write_sums() {
  if (!state_->has_written) return {};
  const auto stored = get(KeySpace::meta, kSumsKey);
  if (!stored && stored.error().code != Code::corrupt) return stored.error();
  if (!stored || !*stored) return {};
  const auto before = ContentSums::decode(**stored);
  if (!before) return {};
  return put(KeySpace::meta, kSumsKey, state_->sum_changes.applied_to(*before).encode());
}

Status WriteTransaction::clear_patches(KeySpace space) {
  const std::string prefix(1, static_cast<char>(space));
  while (true) {
    std::string key;
    {
      Cursor patches = key_cursor(KeySpace::patch);
      TL_TRY_ASSIGN(found, patches.seek(prefix));
      if (!found || !patches.key().starts_with(prefix)) return {};
      key = patches.key();
    }
    TL_TRY(erase(KeySpace::patch, key));
  }
}

Status WriteTransaction::commit() {
  TL_TRY(usable());
  State& state = *state_;
  if (state.thread != std::this_thread::get_id()) {
    return make_error(Code::misuse, "commit by another thread than the one that began");
  }
  state.is_committing = true;
  for (const std::unique_ptr<Companion>& companion : state.companions) {
    Status written = companion ? companion->before_commit(*this) : Status();
    if (!written) return give_up(std::move(written));
  }
  Status written = write_sums();
  if (!written) return give_up(std::move(written));
  state.close_cursors();
  int code = testing::check(testing::Point::commit);
  if (code == 0) code = state.file->sync_heads(state.durability == Durability::synced);
  if (code != 0) {
    mdb_txn_abort(state.transaction);
  } else {
    code = mdb_txn_commit(state.transaction);
    state.file->note_commit(code);
  }
  const std::uint64_t map_number = state.map_number;
  // A transaction that changed nothing syncs nothing, and is no commit. (What the file says its
  // last commit is does not tell: somebody else may have made one with this number by now.)
  if (code == 0 && state.has_written) {
    state.has_committed = true;
    state.file->last_commit.store(state.id);
    // Syncing its pages has synced the head of the commit before it.
    const bool is_synced = state.durability == Durability::synced && !state.file->options.draft;
    if (is_synced) state.file->note_durable(state.id);
    state.keep_packed();
  }
  state.leave();
  if (code != 0) return state.file->fail(code, "commit to", map_number);
  return {};
}

Status WriteTransaction::give_up(Status failure) {
  state_->close_cursors();
  mdb_txn_abort(state_->transaction);
  state_->leave();
  return failure;
}

bool WriteTransaction::finished() const { return !state_ || state_->transaction == nullptr; }

bool WriteTransaction::has_committed() const { return state_ && state_->has_committed; }

std::uint64_t WriteTransaction::put_size_bytes() const {
  return state_ ? state_->put_size_bytes : 0;
}

}  // namespace tracelite::store

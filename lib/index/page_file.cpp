// SQLite's callbacks, served from the attached LMDB transaction. See page_file_vfs.hpp.
//
// Each callback answers with one of SQLite's codes and keeps the Error of store/ aside, so that the
// caller of the statement learns what really happened. Nothing is thrown into SQLite.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "index/page_file.hpp"
#include "index/page_file_vfs.hpp"
#include "index/page_header.hpp"
#include "index/schema.hpp"
#include "store/sealed.hpp"

namespace tracelite::index {

namespace {

using store::KeySpace;

constexpr int kMaxPathSizeBytes = 64;  // the database's name and "-journal" behind it

// Runs a callback's body; there is no way to throw through SQLite.
template <class Body>
int guarded(Body body) noexcept {
  try {
    return body();
  } catch (...) {
    return SQLITE_IOERR_NOMEM;
  }
}

sqlite3_vfs* platform() { return sqlite3_vfs_find(nullptr); }

std::string unique_name() {
  static std::atomic<std::uint64_t> last{0};
  return "tracelite-pages-" + std::to_string(++last);
}

}  // namespace

struct PageFile::File {
  sqlite3_file base;
  PageFile* context;
};

// ------------------------------------------------------------------------------------ callbacks

struct PageFile::Callbacks {
  static PageFile& context(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->context; }

  static int close(sqlite3_file*) noexcept { return SQLITE_OK; }

  static int read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) noexcept {
    return guarded([&] {
      return context(file).read({static_cast<char*>(out), static_cast<std::size_t>(size)},
                                static_cast<std::uint64_t>(offset));
    });
  }

  static int write(sqlite3_file* file, const void* page, int size, sqlite3_int64 offset) noexcept {
    return guarded([&] {
      return context(file).write({static_cast<const char*>(page), static_cast<std::size_t>(size)},
                                 static_cast<std::uint64_t>(offset));
    });
  }

  // The commit removes what lies beyond the end that page 1 states.
  static int truncate(sqlite3_file*, sqlite3_int64) noexcept { return SQLITE_OK; }

  // Durability is LMDB's commit.
  static int sync(sqlite3_file*, int) noexcept { return SQLITE_OK; }

  static int size(sqlite3_file* file, sqlite3_int64* size) noexcept {
    *size = sqlite3_int64{context(file).page_count_} * kPageSizeBytes;
    return SQLITE_OK;
  }

  static int lock(sqlite3_file* file, int level) noexcept {
    return guarded([&] { return context(file).lock(level); });
  }

  static int unlock(sqlite3_file* file, int level) noexcept {
    PageFile& self = context(file);
    self.lock_level_ = std::min(self.lock_level_, level);
    return SQLITE_OK;
  }

  static int check_reserved_lock(sqlite3_file*, int* reserved) noexcept {
    *reserved = 0;
    return SQLITE_OK;
  }

  static int control(sqlite3_file* file, int operation, void*) noexcept {
    if (operation != SQLITE_FCNTL_COMMIT_PHASETWO) return SQLITE_NOTFOUND;
    return guarded([&] { return context(file).commit(); });
  }

  static int sector_size(sqlite3_file*) noexcept { return kPageSizeBytes; }

  // True of us, and changes nothing but the sector size. None of the ATOMIC flags: they let SQLite
  // do without its rollback journal, which statements and savepoints need.
  static int characteristics(sqlite3_file*) noexcept { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int open(sqlite3_vfs* vfs, const char*, sqlite3_file* file, int flags,
                  int* flags_out) noexcept {
    auto* opened = reinterpret_cast<File*>(file);
    opened->base.pMethods = nullptr;
    // With journals and temporary tables in memory there is no other file.
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return SQLITE_CANTOPEN;
    opened->context = static_cast<PageFile*>(vfs->pAppData);
    opened->base.pMethods = &kMethods;
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs*, const char*, int) noexcept { return SQLITE_OK; }

  static int access(sqlite3_vfs*, const char*, int, int* answer) noexcept {
    *answer = 0;
    return SQLITE_OK;
  }

  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) noexcept {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static int randomness(sqlite3_vfs*, int size, char* out) noexcept {
    return platform()->xRandomness(platform(), size, out);
  }

  static int sleep(sqlite3_vfs*, int microseconds) noexcept {
    return platform()->xSleep(platform(), microseconds);
  }

  static int current_time(sqlite3_vfs*, double* julian_day) noexcept {
    return platform()->xCurrentTime(platform(), julian_day);
  }

  static int last_error(sqlite3_vfs*, int, char*) noexcept { return 0; }
};

// Version 1: no shared memory, hence no WAL whatever anybody asks for, and no mapped pages.
const sqlite3_io_methods PageFile::kMethods = {
    .iVersion = 1,
    .xClose = Callbacks::close,
    .xRead = Callbacks::read,
    .xWrite = Callbacks::write,
    .xTruncate = Callbacks::truncate,
    .xSync = Callbacks::sync,
    .xFileSize = Callbacks::size,
    .xLock = Callbacks::lock,
    .xUnlock = Callbacks::unlock,
    .xCheckReservedLock = Callbacks::check_reserved_lock,
    .xFileControl = Callbacks::control,
    .xSectorSize = Callbacks::sector_size,
    .xDeviceCharacteristics = Callbacks::characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

PageFile::PageFile() : name_(unique_name()) {
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(File);
  vfs_.mxPathname = kMaxPathSizeBytes;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Callbacks::open;
  vfs_.xDelete = Callbacks::remove;
  vfs_.xAccess = Callbacks::access;
  vfs_.xFullPathname = Callbacks::full_path;
  vfs_.xRandomness = Callbacks::randomness;
  vfs_.xSleep = Callbacks::sleep;
  vfs_.xCurrentTime = Callbacks::current_time;
  vfs_.xGetLastError = Callbacks::last_error;
}

PageFile* PageFile::of(sqlite3* handle) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
      file == nullptr || file->pMethods != &kMethods) {
    return nullptr;
  }
  return &Callbacks::context(file);
}

// --------------------------------------------------------------------------------- transactions

Status PageFile::attach(const store::ReadTransaction& transaction) {
  return attach_transaction(transaction);
}

Status PageFile::attach(store::WriteTransaction& transaction) {
  TL_TRY(attach_transaction(transaction));
  writer_ = &transaction;
  return {};
}

void PageFile::attach(const store::ReadTransaction& transaction, const MemoryImage& image) {
  detach();
  failure_.reset();
  transaction_ = &transaction;
  image_ = &image;
  version_ = 0;
  show_another_counter();
  page_count_ = image.page_count();
  page_count_before_ = page_count_;
  transaction_id_ = transaction.id();
}

bool PageFile::resume(const store::ReadTransaction& transaction) {
  if (transaction_id_ == 0 || transaction.id() != transaction_id_) return false;
  failure_.reset();
  transaction_ = &transaction;
  return true;
}

Status PageFile::attach_transaction(const store::Transaction& transaction) {
  detach();
  failure_.reset();
  TL_TRY_ASSIGN(unsealed, transaction.statistics(KeySpace::page));
  TL_TRY_ASSIGN(sealed, transaction.statistics(KeySpace::sealed));
  transaction_ = &transaction;
  auto page = get(1);
  Status checked;
  if (!page) {
    checked = page.error();
  } else if (*page) {
    checked = check_header(**page, transaction, unsealed.entries, sealed.entries > 0);
  } else if (unsealed.entries != 0) {
    checked = damaged_index("its first page is missing");
  }
  if (!checked) {
    transaction_ = nullptr;
    return checked;
  }
  const std::uint32_t version = *page ? field_at(**page, kCounterOffset) : 0;
  if (version != version_) {
    version_ = version;
    show_another_counter();
  }
  page_count_ = *page ? field_at(**page, kPageCountOffset) : 0;
  page_count_before_ = page_count_;
  transaction_id_ = transaction.id();
  return {};
}

void PageFile::detach() {
  // A write transaction that came to nothing, and SQLite may remember parts of it.
  if (writer_ != nullptr && !committed_) show_another_counter();
  transaction_ = nullptr;
  image_ = nullptr;
  transaction_id_ = 0;
  writer_ = nullptr;
  page_count_ = page_count_before_ = 0;
  wrote_ = may_commit_ = committed_ = false;
  spoilt_code_ = SQLITE_OK;
}

int PageFile::commit() {
  if (spoilt_code_ != SQLITE_OK) return spoilt_code_;
  if (writer_ == nullptr || !may_commit_) {
    return fail(make_error(Code::misuse, "a statement tried to commit outside of its batch"),
                SQLITE_IOERR);
  }
  if (Status settled = settle_page_count(); !settled) {
    return spoil(std::move(settled).error(), SQLITE_IOERR_WRITE);
  }
  const std::uint32_t version = version_to_write();
  if (Status done = writer_->commit(); !done) {
    return spoil(std::move(done).error(), SQLITE_IOERR_FSYNC);
  }
  committed_ = true;
  if (wrote_) version_ = version;
  return SQLITE_OK;
}

// SQLite leaves pages unwritten that it gave away again in the same transaction, and never writes
// the one at its lock byte (1 GiB); pages that a savepoint took back may lie beyond the end. Once
// this is put right a missing page is always damage, and the number of pages can be checked.
Status PageFile::settle_page_count() {
  if (!wrote_) return {};
  TL_TRY(erase_beyond(page_count_));
  const std::string zeros(kStoredPageSizeBytes, '\0');
  for (std::uint32_t number = page_count_before_ + 1; number <= page_count_; ++number) {
    TL_TRY_ASSIGN(page, get(number));
    if (!page) TL_TRY(put(number, zeros));
  }
  return {};
}

// -------------------------------------------------------------------------------------- reading

// The stored bytes of a page, valid until the next write: kStoredPageSizeBytes of them, or all of a
// page of an image.
Result<std::optional<Bytes>> PageFile::get(std::uint32_t number) const {
  if (image_ != nullptr) {
    const Bytes page = image_->page(number);
    return page.empty() ? std::nullopt : std::optional<Bytes>(page);
  }
  TL_TRY_ASSIGN(page, store::get_sealable(*transaction_, KeySpace::page, field(number)));
  if (page && page->size() != kStoredPageSizeBytes) {
    return damaged_index("page " + std::to_string(number) + " has " + std::to_string(page->size()) +
                         " bytes");
  }
  return page;
}

int PageFile::read(std::span<char> out, std::uint64_t offset) {
  if (transaction_ == nullptr) {
    if (locked()) {
      return fail(make_error(Code::misuse, "a statement reads the index while it is paused"),
                  SQLITE_IOERR_READ);
    }
    // SQLite peeks at the header before it locks anything; it reads no page then.
    std::fill(out.begin(), out.end(), '\0');
    return SQLITE_IOERR_SHORT_READ;
  }
  const std::size_t start = offset % kPageSizeBytes;
  if (start + out.size() > kPageSizeBytes || offset / kPageSizeBytes >= UINT32_MAX) {
    return fail(make_error(Code::internal, "SQLite read across pages"), SQLITE_IOERR_READ);
  }
  const auto number = static_cast<std::uint32_t>(offset / kPageSizeBytes + 1);
  auto page = get(number);
  if (!page) return fail(std::move(page).error(), SQLITE_IOERR_READ);
  if (!*page) return read_missing(out, number);
  const Bytes stored = (*page)->substr(std::min(start, (*page)->size()));
  const std::size_t size = std::min(stored.size(), out.size());
  std::memcpy(out.data(), stored.data(), size);
  std::memset(out.data() + size, 0, out.size() - size);
  if (number == 1) show_counter(out, start);
  return SQLITE_OK;
}

int PageFile::read_missing(std::span<char> out, std::uint32_t number) {
  std::fill(out.begin(), out.end(), '\0');
  if (number > page_count_before_) return SQLITE_IOERR_SHORT_READ;
  return fail(damaged_index("page " + std::to_string(number) + " is missing"), SQLITE_IOERR_READ);
}

// A number that SQLite has not seen yet, so that it drops its cache.
void PageFile::show_another_counter() { shown_counter_ = ++highest_counter_; }

// Grows with every commit that writes page 1. The transaction number is in it so that it still does
// after a reindex and in a compacted file, whose transactions go on beyond those of the old one.
std::uint32_t PageFile::version_to_write() const {
  return std::max(version_ + 1, static_cast<std::uint32_t>(writer_->id()));
}

// Lays shown_counter_ over the parts of it that out, read from `start` in page 1, has room for.
void PageFile::show_counter(std::span<char> out, std::size_t start) const {
  const std::string counter = field(shown_counter_);
  for (const std::size_t at : {kCounterOffset, kValidForOffset}) {
    for (std::size_t i = 0; i < kFieldSizeBytes; ++i) {
      if (at + i >= start && at + i - start < out.size()) out[at + i - start] = counter[i];
    }
  }
}

// -------------------------------------------------------------------------------------- writing

int PageFile::write(Bytes page, std::uint64_t offset) {
  if (spoilt_code_ != SQLITE_OK) return spoilt_code_;
  if (writer_ == nullptr) return SQLITE_READONLY;
  if (page.size() != kPageSizeBytes || offset % kPageSizeBytes != 0 ||
      offset / kPageSizeBytes >= UINT32_MAX) {
    return spoil(make_error(Code::internal, "SQLite wrote something that is not a page"),
                 SQLITE_IOERR_WRITE);
  }
  const Bytes reserve = page.substr(kStoredPageSizeBytes);
  if (reserve.find_first_not_of('\0') != Bytes::npos) {
    return spoil(make_error(Code::internal, "SQLite used the reserved end of a page"),
                 SQLITE_IOERR_WRITE);
  }
  const auto number = static_cast<std::uint32_t>(offset / kPageSizeBytes + 1);
  if (Status done = put(number, page.substr(0, kStoredPageSizeBytes)); !done) {
    return spoil(std::move(done).error(), SQLITE_IOERR_WRITE);
  }
  return SQLITE_OK;
}

Status PageFile::put(std::uint32_t number, Bytes page) {
  wrote_ = true;
  if (number != 1) return store::put_sealable(*writer_, KeySpace::page, field(number), page);
  shown_counter_ = field_at(page, kCounterOffset);
  highest_counter_ = std::max(highest_counter_, shown_counter_);
  page_count_ = field_at(page, kPageCountOffset);
  const std::string version = field(version_to_write());
  const std::string schema = field(kSchemaVersion);
  const auto between = [page](std::size_t field_before, std::size_t field_behind) {
    const std::size_t start = field_before + kFieldSizeBytes;
    return page.substr(start, field_behind - start);
  };
  const Bytes parts[] = {page.substr(0, kCounterOffset),
                         version,
                         between(kCounterOffset, kUserVersionOffset),
                         schema,
                         between(kUserVersionOffset, kValidForOffset),
                         version,
                         page.substr(kValidForOffset + kFieldSizeBytes)};
  return store::put_sealable(*writer_, KeySpace::page, field(number), parts);
}

// What was committed lies in either place, what this transaction has added does not lie sealed.
Status PageFile::erase_beyond(std::uint32_t page_count) {
  for (std::uint32_t number = page_count + 1; number <= page_count_before_; ++number) {
    TL_TRY(store::erase_sealable(*writer_, KeySpace::page, field(number)));
  }
  for (;;) {
    std::string key;
    {
      auto cursor = writer_->key_cursor(KeySpace::page);
      TL_TRY_ASSIGN(found, cursor.seek_last());
      if (!found) return {};
      key = cursor.key();
    }
    if (key.size() != kFieldSizeBytes) return damaged_index("a page has no number");
    if (read_big_endian(key) <= page_count) return {};
    TL_TRY(writer_->erase(KeySpace::page, key));
  }
}

// ----------------------------------------------------------------------------- locks and failure

// store/ has locked already: the transaction that is attached is all the right there is.
int PageFile::lock(int level) {
  if (transaction_ == nullptr) {
    return fail(make_error(Code::misuse, "no transaction is attached to the index"),
                SQLITE_IOERR_LOCK);
  }
  if (level > SQLITE_LOCK_SHARED && writer_ == nullptr) return SQLITE_READONLY;
  lock_level_ = std::max(lock_level_, level);
  return SQLITE_OK;
}

// Keeps the error for the caller of the statement, and says to SQLite what it can understand. In a
// spoilt transaction every call fails, and only the first failure tells why.
int PageFile::fail(Error error, int io_code) {
  if (spoilt_code_ != SQLITE_OK) return spoilt_code_;
  const Code code = error.code;
  failure_ = std::move(error);
  switch (code) {
    case Code::disk_full:
      return SQLITE_FULL;
    case Code::no_memory:
      return SQLITE_IOERR_NOMEM;
    case Code::corrupt:
      return SQLITE_IOERR_CORRUPTFS;
    default:
      return io_code;
  }
}

// As fail, and every later write of this transaction fails alike: LMDB allows only dropping it.
int PageFile::spoil(Error error, int io_code) {
  spoilt_code_ = fail(std::move(error), io_code);
  return spoilt_code_;
}

}  // namespace tracelite::index

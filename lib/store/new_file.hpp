// A file that appears at its path whole, or not at all: it is written under another name beside it.
//
// Must not know what is written.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/copy.hpp"

namespace tracelite::store {

// A file that nobody else is to see yet; `transactions_after` as in OpenOptions.
Result<std::shared_ptr<Environment>> open_draft(const std::string& path,
                                                std::uint64_t transactions_after);
// It and its lock file.
void remove_draft(const std::string& path);

class NewFile {
 public:
  // `purpose` is part of the names of drafts: PATH-PURPOSE-part and so on. Errors: invalid (the
  // path exists), not_found (no such folder), permission, io.
  static Result<std::unique_ptr<NewFile>> begin(const std::string& path,
                                                const std::string& purpose);
  // Removes the drafts; their environments must be let go of.
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  // A draft beside the file to work in; one that a killed process has left is removed. Errors:
  // busy (somebody else is at it), and those of Environment::open.
  Result<std::shared_ptr<Environment>> open_scratch(const std::string& name);
  // Copies all of `from` into the file and puts that at the path, durably. Errors: those of
  // copy_in_order; invalid (somebody has made the path meanwhile).
  Status finish(const Transaction& from, const CopyProgress& progress,
                const std::optional<Packing>& packing);

 private:
  NewFile(std::string path, std::string prefix)
      : path_(std::move(path)), prefix_(std::move(prefix)) {}
  Result<std::shared_ptr<Environment>> open(const std::string& name,
                                            std::uint64_t transactions_after);

  std::string path_;
  std::string prefix_;
  std::vector<std::string> drafts_;
};

}  // namespace tracelite::store

// Replacing the file by one with the same content written anew, while other threads and processes
// read it and wait to write it. And a copy that becomes a file of its own: a backup.
//
// Why not mdb_env_copy and rename: a process that has the old file open goes on with it and with
// the old lock file, whose newest transaction number then selects the wrong head of the new one.
//
// THE PROTOCOL. OLD is the file at the path, NEW the one that is to take its place. Whoever
// replaces holds the turn to write of OLD (the guard's turnstile, and its mutex for the threads of
// this process) from before it looks at OLD's content until NEW is in place, so that no commit is
// lost; and OLD's write transaction from then until step 4 commits it. In this order:
//   1  NEW is written under another name, with the note `fresh` in it (replacement_note.hpp), whose
//      transactions are numbered from beyond OLD's; it is synced and closed.
//   2  The registry is locked: nobody forks, opens or closes in this process.
//   3  The doors of OLD and of NEW are locked.
//   4  OLD commits the note `superseded`.
//   5  NEW is renamed over OLD.
//   6  OLD's lock file is unlinked. Those who have OLD open have it open, too, and go on with it.
//   7  The folder is synced.
//   8  Doors, registry and turn are released.
//   9  Whoever waited for a turn in OLD gets one in NEW before this ends (guard.hpp: the queue).
// OLD's blocks and locks go with the last process that has it open.
//
// Every transaction looks for the note in what it sees, once for each commit. If there is
// `superseded`, it compares the file at the path with the one that it is in. If that is another,
// OLD has been replaced for good: the transaction is dropped, the environment opens what is at the
// path, and the transaction begins there. If it is the same, then either
//  - it reads: what it sees is the newest commit; go on;
//  - it writes: it had the turn after whoever has put the note there, who has therefore given up or
//    died between 4 and 5. The note is erased in this transaction.
// `fresh` is erased by the first write transaction, too: nobody gets that far before step 7.
//
//   another process       before 4    between 4 and 5    between 5 and 8           after 8
//   reads, has OLD        in OLD      in OLD             opens NEW: waits at       goes over to NEW
//                                                        NEW's door
//   writes, has OLD       waits for its turn                                       goes over to NEW
//   opens                 opens OLD   waits at OLD's     waits at NEW's door       opens NEW
//                                     door
//   closes OLD            closes it   waits at OLD's     waits at OLD's door       leaves the lock
//                                     door                                         file alone
//
// Killed   before 4: OLD is as it was. NEW's name is unlinked by the next who replaces OLD, or
//                    opens it alone.
//
//          after 4:  OLD is in place, with a note that the next to open it alone, or to write,
//                    erases.
//
//          after 5:  NEW is in place. OLD's lock file lies beside it, which processes that have OLD
//                    open still use. Whoever opens NEW alone knows from its note that this is not
//                    the lock file of NEW, and unlinks it; and syncs the folder before anything can
//                    be committed, or a power cut could bring OLD back.
//
//          after 6, 7: the same, but that the lock file is gone.
//
// Two files with the same path never have the same transaction number, nor consecutive ones; and no
// number that is in a file and was made of one (the version of SQLite's page 1) is larger than its
// transactions' are. So whatever a process remembers of OLD by transaction numbers (SQLite's pages,
// terms, groups of payloads, a position to wait for) it does not take for NEW's.
#pragma once

#include <memory>
#include <string>

#include "store/copy.hpp"

namespace tracelite::store {

class Replacement {
 public:
  // Waits for the turn to write. Errors: as begin_write; permission (the folder may not be
  // written, or the file belongs to another user), unsupported (the file has a second name),
  // disk_full.
  static Result<std::unique_ptr<Replacement>> begin(std::shared_ptr<Environment> environment);
  // If it was not finished: everything is as it was.
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  // What there is to write anew: nobody can commit in the meantime. Only to be read.
  [[nodiscard]] const Transaction& content() const;
  // Where to: a file that only serves to be written in any order. It is thrown away.
  [[nodiscard]] const std::shared_ptr<Environment>& scratch() const;
  // Copies the scratch file into the new one, packed densely, and puts that in place. All
  // transactions of the scratch file must have ended, and its environment be let go of. An error
  // leaves everything as it was, but for `io` from step 7: then the new file is in place.
  Status finish(const CopyProgress& progress);

 private:
  struct State;
  explicit Replacement(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A copy of what is committed now, as a file of its own that must not exist yet; mode 0600, folder
// synced. Others go on reading and writing. Nothing is left of it if it fails. Errors: invalid (it
// exists), not_found (no such folder), permission, busy (somebody makes the same copy), and those
// of copy_in_order.
Status back_up(const std::shared_ptr<Environment>& environment, const std::string& path,
               const CopyProgress& progress);

// Unlinks what a replacement of the file that did not come to its end has left. Nobody else may
// have the file open, or the caller must have its turn to write.
void remove_drafts(const std::string& path);

}  // namespace tracelite::store

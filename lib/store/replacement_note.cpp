// See replacement_note.hpp.
#include "store/replacement_note.hpp"

#include <memory>

#include "store/errors.hpp"

namespace tracelite::store {

Status put_note(WriteTransaction& transaction, const Note& note) {
  std::string value(1, static_cast<char>(note.kind));
  append_big_endian(value, note.lock_file_inode);
  return transaction.put(KeySpace::meta, kNoteKey, value);
}

Result<Note> read_note(const OpenFile& file, MDB_txn* transaction) {
  MDB_val key = to_engine(kNoteKey);
  MDB_val stored{};
  const int code =
      mdb_get(transaction, file.spaces[static_cast<std::size_t>(KeySpace::meta)], &key, &stored);
  if (code == MDB_NOTFOUND) return Note{};
  if (code != 0) return engine_error(code, "read", file.path);
  TL_TRY_ASSIGN(value, verify(KeySpace::meta, kNoteKey, from_engine(stored), file.path));
  ByteReader reader(value);
  Note note;
  note.kind = static_cast<Note::Kind>(reader.big_endian(1));
  note.lock_file_inode = reader.big_endian(8);
  const bool known = note.kind == Note::Kind::superseded || note.kind == Note::Kind::fresh;
  if (reader.failed() || !known) {
    return make_error(Code::corrupt, file.path + " is damaged: its note of a replacement");
  }
  return note;
}

std::optional<Note> find_note(const OpenFile& file) {
  MDB_txn* begun = nullptr;
  if (mdb_txn_begin(file.engine.get(), nullptr, MDB_RDONLY, &begun) != 0) return std::nullopt;
  const std::unique_ptr<MDB_txn, decltype(&mdb_txn_abort)> transaction(begun, mdb_txn_abort);
  auto note = read_note(file, transaction.get());
  if (!note || note->kind == Note::Kind::none) return std::nullopt;
  return *note;
}

int erase_note(const OpenFile& file, MDB_txn* transaction) {
  MDB_val key = to_engine(kNoteKey);
  const int code =
      mdb_del(transaction, file.spaces[static_cast<std::size_t>(KeySpace::meta)], &key, nullptr);
  return code == MDB_NOTFOUND ? 0 : code;
}

void clear_note(OpenFile& file) {
  file.traffic.enter();
  MDB_txn* transaction = nullptr;
  if (mdb_txn_begin(file.engine.get(), nullptr, 0, &transaction) == 0) {
    if (erase_note(file, transaction) == 0) {
      file.note_commit(mdb_txn_commit(transaction));
    } else {
      mdb_txn_abort(transaction);
    }
  }
  file.traffic.leave();
}

}  // namespace tracelite::store

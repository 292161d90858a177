// Cursors: LMDB's, with the checksums of entries verified.
#include <algorithm>
#include <utility>

#include "store/environment_state.hpp"
#include "store/errors.hpp"

namespace tracelite::store {
namespace {

Result<bool> move(Cursor::State* state, MDB_cursor_op operation, Bytes sought = {}) {
  if (state == nullptr || state->transaction == nullptr) {
    return make_error(Code::misuse, "the cursor's transaction is over");
  }
  TL_TRY(state->transaction->usable());
  OpenFile& owner = *state->transaction->file;
  int code = state->open_error;
  MDB_val key = to_engine(sought);
  MDB_val value{};
  if (code == 0) code = mdb_cursor_get(state->cursor, &key, &value, operation);
  state->key = {};
  state->value = {};
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) return owner.fail(code, "read", state->transaction->map_number);
  state->key = from_engine(key);
  state->stored = from_engine(value);
  if (state->keys_only) return true;
  auto verified = verify(state->space, state->key, state->stored, owner.path);
  if (!verified) {
    state->key = {};
    return std::move(verified).error();
  }
  state->value = *verified;
  return true;
}

}  // namespace

Cursor::State::~State() {
  if (transaction == nullptr) return;
  std::erase(transaction->cursors, this);
  if (!transaction->file->forked()) mdb_cursor_close(cursor);
}

Cursor::Cursor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;

Result<bool> Cursor::seek(Bytes key_at_least) {
  if (key_at_least.empty()) return move(state_.get(), MDB_FIRST);
  return move(state_.get(), MDB_SET_RANGE, key_at_least);
}

Result<bool> Cursor::seek_last() { return move(state_.get(), MDB_LAST); }
Result<bool> Cursor::next() { return move(state_.get(), MDB_NEXT); }
Result<bool> Cursor::previous() { return move(state_.get(), MDB_PREV); }
Bytes Cursor::key() const { return state_ ? state_->key : Bytes{}; }
Bytes Cursor::value() const { return state_ ? state_->value : Bytes{}; }

Result<Bytes> Cursor::read_value() const {
  if (state_ == nullptr || state_->transaction == nullptr) {
    return make_error(Code::misuse, "the cursor's transaction is over");
  }
  return verify(state_->space, state_->key, state_->stored, state_->transaction->file->path);
}

}  // namespace tracelite::store

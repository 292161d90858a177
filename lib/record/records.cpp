// Keys of records as they come out of the file, checked.
#include "record/records.hpp"

namespace tracelite::record {

Result<bool> RecordCursor::found(Result<bool> found) {
  if (!found || !*found) return found;
  if (cursor_.key().size() != kRecordKeySizeBytes) {
    return make_error(Code::corrupt, "the key of a record has the wrong size");
  }
  key_ = decode_record_key(cursor_.key());
  if (key_.kind > RecordKind::stray) {
    return make_error(Code::corrupt, "there is a record of a kind that does not exist");
  }
  return true;
}

}  // namespace tracelite::record

// Checks of forms.
#include "ingest/given_checker.hpp"

#include "payload/json_scanner.hpp"
#include "payload/metadata_json.hpp"

namespace tracelite::ingest {

using model::Field;
using model::Form;

void GivenChecker::check(Field field, Form& form, Bytes& bytes, std::string& own) {
  std::string why;
  if (form == Form::json) {
    if (const auto error = payload::check_json(bytes)) {
      form = Form::text;
      why = "kept as text, because it is not valid JSON: " + std::string(error->reason) +
            " at byte " + std::to_string(error->offset);
    }
  }
  if (form == Form::text && !payload::is_valid_utf8(bytes)) {
    form = Form::bytes;
    why = "kept as bytes, because it is not valid UTF-8";
  }
  if (!why.empty()) tell_(std::string(model::field_name(field)), why);
  if (field != Field::metadata) return;
  if (form == Form::json && payload::json_type(bytes) == payload::JsonType::object) return;
  own = payload::metadata_object(form, bytes);
  form = Form::json;
  bytes = own;
}

}  // namespace tracelite::ingest

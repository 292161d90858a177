// Finding media in payloads: base64 that says of itself what it is, or whose object does.
//
// Taken out is, in text and in JSON strings alike, the whole of a data URI
// (data:image/png;base64,...); and in JSON the base64 alone, of
//     Anthropic  {"type":"base64","media_type":"image/png","data":"..."}
//     Vertex     {"type":"media","mime_type":"image/png","data":"..."}
//     Gemini     "inline_data" or "inlineData": {"mime_type" or
//     "mimeType":"image/png","data":"..."}
// if encoding its bytes again gives the identical text: standard base64 with its padding and
// without line breaks, each of its slashes as it is or each written "\/". Everything else stays as
// it is, and so does what passes a limit of model/limits.hpp.
//
// Text without media costs a look at one place in 112 bytes: base64 is a long run of its
// characters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/entity.hpp"
#include "payload/media_store.hpp"

namespace tracelite::payload {

struct WithoutMedia {
  std::string text;  // with references instead
  std::string list;  // coded as model/media.hpp says
  std::uint64_t given_size_bytes = 0;
  std::vector<Medium> media;  // each once

  [[nodiscard]] model::PayloadMedia places() const { return {list, given_size_bytes}; }
};

// nullopt: there are none. JSON must have been checked.
std::optional<WithoutMedia> take_out_media(model::Form form, Bytes payload);

// The media that are still in a payload after somebody has changed its stored text: a reference
// whose text occurs as often as before stands where it stood in that order; of any other nobody can
// tell it from one that was typed, and it is text from now on. The result has no media of its own.
std::optional<WithoutMedia> keep_media(const model::PayloadValue& before, std::string changed);

// Each '/' as "\/".
std::string escape_slashes(Bytes base64);

}  // namespace tracelite::payload

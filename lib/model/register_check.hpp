// Whether the coded value of a register can be what an EventBuilder made: records come from files,
// and a file may come from a stranger.
#pragma once

#include "model/entity.hpp"

namespace tracelite::model {

// True if the value has the coding of its field and lies in its range, and the flags fit the field.
// Texts are not looked into; neither is metadata that was merged (MetadataTree::decode does that).
bool is_sound(const Register& reg);

}  // namespace tracelite::model

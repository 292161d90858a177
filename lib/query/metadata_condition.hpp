// What entities of a kind have some metadata, as SQL over the two tables that have the rows
// (index/attribute_table.hpp).
#pragma once

#include <optional>
#include <string>

#include "query/selection.hpp"

namespace tracelite::query {

class MetadataCondition {
 public:
  // A key, by the number of its term, with this value or any.
  MetadataCondition(Kind kind, std::int64_t key, const std::optional<std::string>& value);

  // So few have it that a query starts from them.
  Result<bool> is_rare(const Snapshot::Use& use) const;
  // The condition, in two forms: those that have it are gathered once, and may be where SQLite
  // starts; or each row is asked for it, which must be with a value.
  void gathered(Sql& where, Bytes container, Bytes entity) const;
  void asked_for(Sql& where, Bytes container, Bytes entity) const;

 private:
  void add_rows(Sql& sql, Bytes columns, Bytes table) const;
  void add_kind(Sql& sql) const;

  Kind kind_;
  Value key_;
  std::optional<Value> value_;
};

}  // namespace tracelite::query

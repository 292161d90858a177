#include "query/metadata_condition.hpp"

#include "index/attributes.hpp"
#include "record/record_key.hpp"

namespace tracelite::query {
namespace {

constexpr const char* kRareCountMax = "128";
constexpr Bytes kTables[] = {"attribute", "recent_attribute"};

std::int64_t record_kind_of(Kind kind) {
  using record::RecordKind;
  if (kind == Kind::score) return static_cast<std::int64_t>(RecordKind::score);
  const auto found = kind == Kind::observation ? RecordKind::observation : RecordKind::header;
  return static_cast<std::int64_t>(found);
}

}  // namespace

MetadataCondition::MetadataCondition(Kind kind, std::int64_t key,
                                     const std::optional<std::string>& value)
    : kind_(kind), key_(Value::of(key)) {
  if (!value) return;
  const auto stored = index::AttributeValue::of(value);
  value_ = stored.is_blob ? Value::blob(stored.bytes) : Value::text(stored.bytes);
}

// The primary key of the large table is key, value and kind: without a value, rows of other kinds
// lie in between, and to pass over them would take too long.
Result<bool> MetadataCondition::is_rare(const Snapshot::Use& use) const {
  Sql sql;
  for (const Bytes table : kTables) {
    if (!sql.text.empty()) sql.add(" UNION ALL ");
    add_rows(sql, "1", table);
    if (value_) add_kind(sql);
  }
  sql.add(" LIMIT 1 OFFSET ").add(kRareCountMax);
  TL_TRY_ASSIGN(find, use.prepare(sql.text));
  find.bind(sql.values);
  TL_TRY_ASSIGN(found, find->step());
  return !found;
}

// A subquery within another, because SQLite does not start from one that is a union itself. Of a
// trace the entity is 0.
void MetadataCondition::gathered(Sql& where, Bytes container, Bytes entity) const {
  const bool is_of_trace = kind_ == Kind::trace;
  where.add(" AND (").add(container);
  if (!is_of_trace) where.add(", ").add(entity);
  where.add(is_of_trace ? ") IN (SELECT container FROM ("
                        : ") IN (SELECT container, entity FROM (");
  for (const Bytes table : kTables) {
    if (table != kTables[0]) where.add(" UNION ALL ");
    add_rows(where, "container, entity", table);
    add_kind(where);
  }
  where.add("))");
}

// What is listed first is mostly recent.
void MetadataCondition::asked_for(Sql& where, Bytes container, Bytes entity) const {
  const auto exists_in = [&](Bytes table) {
    where.add("EXISTS(");
    add_rows(where, "1", table);
    add_kind(where);
    where.add(" AND a.container = ").add(container);
    where.add(" AND a.entity = ").add(entity).add(")");
  };
  where.add(" AND (");
  exists_in("recent_attribute");
  where.add(" OR ");
  exists_in("attribute");
  where.add(")");
}

void MetadataCondition::add_rows(Sql& sql, Bytes columns, Bytes table) const {
  sql.add("SELECT ").add(columns).add(" FROM ").add(table).add(" a WHERE a.term = ").bind(key_);
  if (value_) sql.add(" AND a.value = ").bind(*value_);
}

void MetadataCondition::add_kind(Sql& sql) const {
  sql.add(" AND a.kind = ").bind(Value::of(record_kind_of(kind_)));
}

}  // namespace tracelite::query

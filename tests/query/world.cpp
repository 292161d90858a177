// Writing specifications as records and index rows.
#include "world.hpp"

#include "index/page_file.hpp"
#include "payload/json_scanner.hpp"
#include "support/assembled_event.hpp"

namespace tracelite::query::test {
namespace {

using model::EntityKind;
using model::EventBuilder;
using model::Field;
using record::DirectoryKind;
using record::RecordKey;
using record::RecordKind;
using tracelite::test::finish;

std::string json_of(const Metadata& metadata) {
  std::string json = "{";
  for (const auto& [key, value] : metadata) {
    if (json.size() > 1) json += ',';
    payload::append_json_string(json, key);
    json.append(":").append(value);
  }
  return json + "}";
}

void put_text(EventBuilder& builder, Field field, const Text& text) {
  if (text) must(builder.text(field, *text));
}

void put_json(EventBuilder& builder, Field field, const std::string& json) {
  if (!json.empty()) builder.payload(field, model::Form::json, std::string(json));
}

void put_metadata(EventBuilder& builder, const Metadata& metadata) {
  if (!metadata.empty()) builder.payload(Field::metadata, model::Form::json, json_of(metadata));
}

model::Entity entity_of(const ObservationSpec& spec, std::int64_t now_ns) {
  EventBuilder builder(EntityKind::observation, false);
  must(builder.id(spec.id));
  if (!spec.trace_id.empty()) must(builder.trace_id(spec.trace_id));
  put_text(builder, Field::parent_observation_id, spec.parent);
  builder.type(spec.type, false);
  builder.level(spec.level);
  builder.time(Field::start_time, spec.start_ns);
  if (spec.end_ns) builder.time(Field::end_time, *spec.end_ns);
  put_text(builder, Field::name, spec.name);
  put_text(builder, Field::model, spec.model);
  put_text(builder, Field::version, spec.version);
  put_text(builder, Field::environment, spec.environment);
  put_text(builder, Field::user_id, spec.user);
  put_text(builder, Field::session_id, spec.session);
  put_json(builder, Field::input, spec.input);
  put_json(builder, Field::output, spec.output);
  put_metadata(builder, spec.metadata);
  if (spec.input_tokens != 0) builder.usage("input", spec.input_tokens);
  if (spec.output_tokens != 0) builder.usage("output", spec.output_tokens);
  if (spec.cost != 0) builder.cost("total", spec.cost);
  return must(finish(builder, now_ns)).entity;
}

}  // namespace

World::World(std::size_t map_size_bytes) {
  std::string name = (std::filesystem::temp_directory_path() / "tracelite-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  folder_ = name;
  store::OpenOptions options;
  options.map_size_bytes = map_size_bytes;
  environment_ = must(store::Environment::open(folder_ / "world.tl", options));
}

World::~World() {
  index_.reset();
  connection_.reset();
  environment_.reset();
  std::filesystem::remove_all(folder_);
}

void World::open_writer() {
  auto transaction = must(environment_->begin_write());
  connection_ = must(index::Connection::open_writer(transaction));
}

Status World::try_commit(const std::function<Status()>& work) {
  if (!connection_) open_writer();
  auto transaction = environment_->begin_write();
  if (!transaction) return std::move(transaction).error();
  TL_TRY(connection_->begin(*transaction));
  transaction_ = &*transaction;
  const auto all = [&]() -> Status {
    if (!index_) {
      TL_TRY_ASSIGN(opened, index::IndexWriter::open(connection_->handle()));
      index_ = std::move(opened);
    }
    TL_TRY(work());
    TL_TRY(index_->flush());
    return connection_->commit();
  };
  Status done = all();
  if (!done) {
    connection_->rollback();
    if (index_) index_->forget();
  }
  transaction_ = nullptr;
  return done;
}

void World::commit(const std::function<void()>& work) {
  must(try_commit([&]() -> Status {
    work();
    return {};
  }));
}

Result<record::ContainerNumber> World::container(DirectoryKind kind, const std::string& id) {
  const record::EntityReader reader(*transaction_);
  TL_TRY_ASSIGN(found,
                kind == DirectoryKind::session ? reader.find_session(id) : reader.find_trace(id));
  if (found) return *found;
  return record::create_container(*transaction_, kind, id);
}

record::ContainerNumber World::container_of(Bytes trace_id) {
  auto transaction = must(environment_->begin_read());
  const auto found = must(record::EntityReader(transaction).find_trace(trace_id));
  BOOST_REQUIRE(found);
  return *found;
}

void World::merge_metadata() { must(index_->merge_recent()); }

void World::add(const TraceSpec& spec) {
  must(try_add(spec));
  traces.push_back(spec);
}

void World::add(const ObservationSpec& spec) {
  must(try_add(spec));
  observations.push_back(spec);
}

Status World::try_add(const TraceSpec& spec) {
  EventBuilder builder(EntityKind::trace, false);
  TL_TRY(builder.id(spec.id));
  if (!spec.flags_only) {
    builder.time(Field::timestamp, spec.time_ns);
    put_text(builder, Field::name, spec.name);
    put_text(builder, Field::user_id, spec.user);
    put_text(builder, Field::session_id, spec.session);
    put_text(builder, Field::release, spec.release);
    put_text(builder, Field::version, spec.version);
    put_text(builder, Field::environment, spec.environment);
    for (const std::string& tag : spec.tags) TL_TRY(builder.tag(tag));
    put_metadata(builder, spec.metadata);
    put_json(builder, Field::input, spec.input);
  }
  if (spec.bookmarked) builder.flag(Field::is_bookmarked, *spec.bookmarked);
  TL_TRY_ASSIGN(event, finish(builder, spec.flags_only ? spec.time_ns : ++clock_ns_));
  TL_TRY_ASSIGN(number, container(DirectoryKind::trace, spec.id));
  const RecordKey key{number, RecordKind::header, 0};
  TL_TRY_ASSIGN(before, record::EntityReader(*transaction_).load(key));
  TL_TRY(record::save(*transaction_, payloads_, key, &*before, event.entity));
  return index_->trace_changed(
      {key, spec.id, &*before, &event.entity, {}, index::attributes_of(json_of(spec.metadata))});
}

Status World::put_observation(const RecordKey& key, Bytes container_id, model::Entity& entity,
                              const model::Entity& visible, const Metadata& metadata) {
  TL_TRY(record::save(*transaction_, payloads_, key, nullptr, entity));
  return index_->observation_changed(
      {key, container_id, nullptr, &visible, {}, index::attributes_of(json_of(metadata))});
}

Status World::try_add(const ObservationSpec& spec) {
  const bool is_stray = spec.trace_id.empty();
  const std::string& container_id = is_stray ? spec.id : spec.trace_id;
  TL_TRY_ASSIGN(number, container(DirectoryKind::trace, container_id));
  model::Entity entity = entity_of(spec, ++clock_ns_);
  const auto kind = is_stray ? RecordKind::stray : RecordKind::observation;
  TL_TRY_ASSIGN(key, record::EntityReader(*transaction_).free_key(number, kind, spec.id));
  if (!is_stray) {
    TL_TRY(record::add_container(*transaction_, DirectoryKind::observation, spec.id, number));
  }
  return put_observation(key, container_id, entity, entity, spec.metadata);
}

void World::add_settled(const ObservationSpec& named, const ObservationSpec& loose) {
  const auto number = must(container(DirectoryKind::trace, named.trace_id));
  const auto placeholder = must(container(DirectoryKind::trace, loose.id));
  const record::EntityReader reader(*transaction_);
  model::Entity entity = entity_of(named, ++clock_ns_);
  model::Entity stray = entity_of(loose, ++clock_ns_);
  entity.has_stray = true;
  const RecordKey stray_key = must(reader.free_key(placeholder, RecordKind::stray, loose.id));
  must(record::save(*transaction_, payloads_, stray_key, nullptr, stray));
  record::MetadataReader metadata(*transaction_);
  const model::Entity visible = must(model::join(entity, stray, metadata));
  const RecordKey key = must(reader.free_key(number, RecordKind::observation, named.id));
  must(record::add_container(*transaction_, DirectoryKind::observation, named.id, number));
  must(put_observation(key, named.trace_id, entity, visible, named.metadata));
}

void World::erase_observation(const ObservationSpec& spec) {
  const auto number = must(container(DirectoryKind::trace, spec.trace_id));
  const auto found =
      must(record::EntityReader(*transaction_).find(number, RecordKind::observation, spec.id));
  BOOST_REQUIRE(found);
  must(record::erase(*transaction_, found->key));
  must(index_->observation_changed({found->key,
                                    spec.trace_id,
                                    &found->entity,
                                    nullptr,
                                    index::attributes_of(json_of(spec.metadata)),
                                    {}}));
  std::erase_if(observations, [&](const ObservationSpec& one) {
    return one.id == spec.id && one.trace_id == spec.trace_id;
  });
}

void World::lose_record(const ObservationSpec& spec) {
  const auto number = must(container(DirectoryKind::trace, spec.trace_id));
  must(record::erase(*transaction_,
                     {number, RecordKind::observation, record::natural_key(spec.id)}));
}

void World::add(const ScoreSpec& spec) {
  EventBuilder builder(EntityKind::score, false);
  must(builder.id(spec.id));
  must(builder.subject(spec.trace_id, spec.observation_id, spec.session_id));
  must(builder.text(Field::name, spec.name));
  builder.number(1);
  builder.time(Field::timestamp, spec.time_ns);
  put_text(builder, Field::environment, spec.environment);
  put_metadata(builder, spec.metadata);
  auto event = must(finish(builder, ++clock_ns_));
  const auto number = spec.session_id.empty()
                          ? must(container(DirectoryKind::trace, spec.trace_id))
                          : must(container(DirectoryKind::session, spec.session_id));
  const RecordKey key =
      must(record::EntityReader(*transaction_).free_key(number, RecordKind::score, spec.id));
  must(record::add_container(*transaction_, DirectoryKind::score, spec.id, number));
  must(record::save(*transaction_, payloads_, key, nullptr, event.entity));
  must(index_->score_changed(
      {key, {}, nullptr, &event.entity, {}, index::attributes_of(json_of(spec.metadata))}));
  scores.push_back(spec);
}

void World::add(const SessionSpec& spec) {
  EventBuilder builder(EntityKind::session, false);
  must(builder.id(spec.id));
  builder.flag(Field::is_bookmarked, spec.bookmarked);
  auto event = must(finish(builder, ++clock_ns_));
  const auto number = must(container(DirectoryKind::session, spec.id));
  const RecordKey key{number, RecordKind::header, 0};
  const auto before = must(record::EntityReader(*transaction_).load(key));
  must(record::save(*transaction_, payloads_, key, &*before, event.entity));
  must(index_->session_changed({key, spec.id, &*before, &event.entity, {}, {}}));
  sessions.push_back(spec);
}

std::shared_ptr<Snapshot> World::snapshot() const { return must(Snapshot::open(environment_)); }

std::vector<Row> rows(Cursor& cursor) {
  std::vector<Row> all;
  for (;;) {
    Row row;
    if (!must(cursor.next(row))) return all;
    all.push_back(std::move(row));
  }
}

Code failure(const Result<std::unique_ptr<Cursor>>& cursor) {
  BOOST_REQUIRE(!cursor);
  BOOST_TEST(!cursor.error().message.empty());
  return cursor.error().code;
}

std::string name_of(const Row& row) {
  if (row.kind == Kind::trace) return row.trace_id;
  if (row.kind == Kind::observation) return row.trace_id + "/" + row.entity.id;
  if (row.kind == Kind::score) return row.entity.id;
  return row.aggregate.key;
}

std::vector<std::string> names_of(const std::vector<Row>& all) {
  std::vector<std::string> names;
  for (const Row& row : all) names.push_back(name_of(row));
  return names;
}

}  // namespace tracelite::query::test

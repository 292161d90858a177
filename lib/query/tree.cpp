// A trace as a tree: the skeleton at once, its rows one by one.
#include "query/forest.hpp"
#include "query/records_ahead.hpp"
#include "query/rows.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

class TreeCursor : public Cursor {
 public:
  // What is kept of each observation while its row waits.
  struct Step {
    std::int64_t entity = 0;
    std::uint32_t depth = 0;
    std::uint32_t number = 0;
  };

  // `kept`: of the snapshot as it is in this use.
  TreeCursor(std::shared_ptr<Snapshot> snapshot, const Snapshot::Use& use, std::string trace_id,
             std::int64_t container, std::vector<Step> steps, KeptRecords kept)
      : Cursor(std::move(snapshot)),
        trace_id_(std::move(trace_id)),
        container_(container),
        steps_(std::move(steps)),
        kept_(std::move(kept)),
        generation_(use.generation()) {}

  Result<bool> next(Row& row) override;

 private:
  std::string trace_id_;
  std::int64_t container_;
  Result<Bytes> read_record(const Snapshot::Use& use, record::ContainerNumber container);

  std::vector<Step> steps_;
  KeptRecords kept_;
  std::uint64_t generation_;
  RecordsAhead ahead_;
  bool is_trace_given_ = false;
  std::size_t next_ = 0;
};

Result<bool> TreeCursor::next(Row& row) {
  TL_TRY_ASSIGN(use, this->use());
  if (use.connection() == nullptr) return false;
  if (!is_trace_given_) {
    is_trace_given_ = true;
    TL_TRY_ASSIGN(found, load_trace(use, container_, row));
    if (found) return true;
  }
  while (next_ < steps_.size()) {
    const record::RecordKey key{static_cast<record::ContainerNumber>(container_),
                                record::RecordKind::observation,
                                static_cast<record::EntityKey>(steps_[next_].entity)};
    TL_TRY_ASSIGN(record, read_record(use, key.container));
    const Step& step = steps_[next_++];
    if (record.empty()) {
      TL_TRY_ASSIGN(found, load_observation(use, container_, step.entity, row, &trace_id_));
      if (!found) continue;  // gone, in a view that was renewed
    } else {
      TL_TRY(load_observation(use, key, record, trace_id_, row));
    }
    row.depth = step.depth;
    return true;
  }
  return false;
}

// That of the next step; empty if it has none of its own.
Result<Bytes> TreeCursor::read_record(const Snapshot::Use& use, record::ContainerNumber container) {
  if (use.generation() != generation_) {
    kept_ = {};
    generation_ = use.generation();
  }
  const Bytes kept = kept_.get(steps_[next_].number);
  if (!kept.empty()) return kept;
  return ahead_.get(use, container, steps_, next_);
}

}  // namespace

Result<std::unique_ptr<Cursor>> tree(std::shared_ptr<Snapshot> snapshot, Bytes trace_id) {
  const Error missing =
      make_error(Code::not_found, "there is no trace " + std::string(trace_id), "trace_id");
  std::vector<TreeCursor::Step> steps;
  KeptRecords kept;
  TL_TRY_ASSIGN(use, snapshot->use());
  if (use.connection() == nullptr) return missing;
  TL_TRY_ASSIGN(found, record::EntityReader(use.transaction()).find_trace(trace_id));
  if (!found) return missing;
  const auto container = static_cast<std::int64_t>(*found);
  {
    TL_TRY_ASSIGN(find, use.prepare("SELECT 1 FROM trace WHERE container = ?1"));
    find.bind(container);
    TL_TRY_ASSIGN(visible, find->step());
    if (!visible) return missing;
  }
  TL_TRY_ASSIGN(nodes, build_forest(use, container, &kept));
  steps.reserve(nodes.size());
  for (const Node& node : nodes) steps.push_back({node.entity, node.depth, node.number});
  return std::unique_ptr<Cursor>(std::make_unique<TreeCursor>(std::move(snapshot), use,
                                                              std::string(trace_id), container,
                                                              std::move(steps), std::move(kept)));
}

}  // namespace tracelite::query

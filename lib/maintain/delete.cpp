// Deleting what somebody has chosen, many containers a transaction and many transactions a call.
#include "maintain/deleter.hpp"
#include "maintain/sweep.hpp"

namespace tracelite::maintain {
namespace {

// What a transaction erases before it ends with the trace at work: measured on traces that lie far
// apart, it then dirties 8 MiB. Of one trace alone it erases more, because these lie together, and
// so that few traces are ever seen in part.
constexpr DeletionBounds kBounds{2'560, 8'192, 4'096};

Status run(Deleter& deleter, std::size_t count, const ProgressFunction& progress) {
  while (deleter.waiting_count() > 0) {
    TL_TRY(deleter.step());
    const std::size_t left = deleter.waiting_count();
    if (progress && progress(count - left, count) && left > 0) {
      return make_error(Code::cancelled, "cancelled; what was deleted before stays deleted");
    }
  }
  return deleter.damage();
}

}  // namespace

Status delete_containers(const std::shared_ptr<store::Environment>& environment,
                         const std::vector<record::ContainerNumber>& containers,
                         const ProgressFunction& progress, DeleteReport& report) {
  Deleter deleter(*environment, {kBounds}, report);
  deleter.add(containers);
  Status status = run(deleter, containers.size(), progress);
  if (!status && status.error().code != Code::corrupt) return status;
  Sweep sweep(*environment, !containers.empty());
  for (bool more = true; more;) {
    TL_TRY_ASSIGN(again, sweep.step());
    more = again;
  }
  return status;
}

}  // namespace tracelite::maintain

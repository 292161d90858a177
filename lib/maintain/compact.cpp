// Compacting: everything that records need is written anew (rewriter.hpp), and takes the place of
// the file under whoever uses it. And a backup, which is a copy in order.
#include <algorithm>
#include <string>

#include "maintain/rewriter.hpp"
#include "store/replacement.hpp"

namespace tracelite::maintain {

Status compact(const std::shared_ptr<store::Environment>& environment,
               const ProgressFunction& progress) {
  TL_TRY_ASSIGN(replacement, store::Replacement::begin(environment));
  TL_TRY_ASSIGN(counted, record::read_statistics(replacement->content()));
  const Steps steps(progress, counted.traces + counted.observations + counted.scores +
                                  counted.sessions + counted.strays);
  std::uint64_t entry_count = 0;
  {
    Rewriter rewriter(replacement->content(), *replacement->scratch(), steps);
    TL_TRY(rewriter.run());
    entry_count = rewriter.entry_count();
  }
  TL_TRY(
      replacement->finish([&](std::uint64_t done) { return steps.cancels(2, done, entry_count); }));
  // Let go of the old file, whose blocks are in use until everybody has. Whoever reads next does it
  // where this cannot.
  (void)environment->begin_read();
  steps.end();
  return {};
}

Status backup(const std::shared_ptr<store::Environment>& environment, const std::string& path,
              const ProgressFunction& progress) {
  std::uint64_t total = 0;
  {
    TL_TRY_ASSIGN(transaction, environment->begin_read());
    for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
      TL_TRY_ASSIGN(space, transaction.statistics(static_cast<store::KeySpace>(i)));
      total += space.entries;
    }
  }
  TL_TRY(store::back_up(environment, path, [&](std::uint64_t done) {
    return progress && progress(done, std::max(done, total));
  }));
  if (progress) progress(total, total);
  return {};
}

}  // namespace tracelite::maintain

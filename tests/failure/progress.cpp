#include "failure/progress.hpp"

#include <cstdio>

namespace tracelite::failure {
namespace {

// What a failing system explains.
bool is_failure(tl_status status) {
  switch (status) {
    case TL_IO:
    case TL_DISK_FULL:
    case TL_NO_MEMORY:
    case TL_BUSY:
    case TL_TIMEOUT:
      return true;
    default:
      return false;
  }
}

void say_differs(Progress& progress, const Answer& answer, const Answer& right) {
  char why[300];
  std::snprintf(why, sizeof why,
                "%s: %llu rows, %llu of what was there (hashes %llx, %llx); "
                "without a fault %llu, %llu (%llx, %llx)",
                answer.is_exact ? "all was recorded" : "not all was recorded",
                static_cast<unsigned long long>(answer.row_count),
                static_cast<unsigned long long>(answer.base_row_count),
                static_cast<unsigned long long>(answer.hash),
                static_cast<unsigned long long>(answer.base_hash),
                static_cast<unsigned long long>(right.row_count),
                static_cast<unsigned long long>(right.base_row_count),
                static_cast<unsigned long long>(right.hash),
                static_cast<unsigned long long>(right.base_hash));
  progress.say_wrong(answer.of, why);
}

}  // namespace

Answer& Progress::begin_answer(const char* of) {
  if (answer_count == kAnswersMax) say_wrong(of, "there is no room for so many answers");
  Answer& answer = answers[answer_count < kAnswersMax ? answer_count++ : kAnswersMax - 1];
  answer = {};
  answer.of = of;
  answer.is_exact = is_exact();
  return answer;
}

void Progress::say_wrong(const char* what, const char* why) {
  if (wrong != nullptr) return;
  wrong = what;
  std::snprintf(wrong_message, sizeof wrong_message, "%s", why);
}

bool note(Progress& progress, const char* what, tl_status status, bool has_handle, Answers also) {
  const bool is_absent = status == TL_NOT_FOUND && also == Answers::absence;
  const bool is_success = status == TL_OK || status == TL_DONE || is_absent;
  if (!is_success && progress.failed == nullptr) progress.failed = what;
  const bool is_explained = has_handle ? is_success || is_failure(status) ||
                                             (status == TL_EXPIRED && also == Answers::expiry)
                                       : status == TL_MISUSE || status == TL_NO_MEMORY;
  if (!is_explained && progress.wrong == nullptr) {
    const tl_error_info* const error = tl_error();
    char why[300];
    std::snprintf(why, sizeof why, "%s: %s: %s", tl_status_name(status), error->field,
                  error->message);
    progress.say_wrong(what, why);
  }
  return status == TL_OK;
}

void compare(Progress& progress, const Progress& reference) {
  if (progress.answer_count != reference.answer_count) {
    progress.say_wrong("the script", "it has asked for something else");
    return;
  }
  for (std::size_t i = 0; i < progress.answer_count; ++i) {
    const Answer& answer = progress.answers[i];
    const Answer& right = reference.answers[i];
    if (!answer.is_complete) continue;
    const bool base_is_right =
        answer.base_row_count == right.base_row_count && answer.base_hash == right.base_hash;
    const bool rest_is_right =
        !answer.is_exact || (answer.row_count == right.row_count && answer.hash == right.hash);
    if (!base_is_right || !rest_is_right) say_differs(progress, answer, right);
  }
}

}  // namespace tracelite::failure

// Looks at a file that a power cut has left: judge() of power_cut_work.hpp.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <utility>

#include "crash/power_cut_work.hpp"
#include "store/helpers.hpp"
#include "store/page_layout.hpp"
#include "tracelite/tracelite.hpp"

namespace tracelite::crash::test {
namespace {

using cpp::Store;
using cpp::view;

struct Finding : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The number of the newest commit, by the two heads; 0 where there are none.
std::uint64_t head_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t newest = 0;
  constexpr std::streamoff kPageSizeBytes = 4096;
  for (const std::streamoff offset : {std::streamoff{0}, kPageSizeBytes}) {
    store::layout::MetaPage page{};
    file.seekg(offset);
    if (!file.read(reinterpret_cast<char*>(&page), sizeof page)) break;  // NOLINT
    if (page.meta.magic == store::layout::kMagic) newest = std::max(newest, page.meta.transaction);
  }
  return newest;
}

void take_finding(void* context, tl_text where, tl_text message) {
  auto& findings = *static_cast<std::string*>(context);
  findings.append(view(where)).append(": ").append(view(message)).append("; ");
}

void check(const Store& store) {
  std::string findings;
  if (tl_check(store.get(), take_finding, &findings, nullptr, nullptr) != TL_OK) {
    throw Finding("unsound: check: " + std::string(tl_error()->message) + "; " + findings);
  }
}

void judge_live(const std::string& id, const std::string& text, const Expected& expected) {
  const auto live = static_cast<std::uint32_t>(std::stoul(id.substr(id.find('-') + 1)));
  if (text != streamed_text(live, text.size())) throw Finding("unsound: the text of " + id);
  const auto streamed = expected.streamed.find(live);
  if (streamed != expected.streamed.end() && text.size() < streamed->second) {
    throw Finding("lost: of " + id + " " + std::to_string(streamed->second) +
                  " bytes were flushed, there are " + std::to_string(text.size()));
  }
}

// The groups that are there, all of them whole.
std::set<std::uint32_t> groups_of(const Store& store, const Expected& expected) {
  std::map<std::uint32_t, std::set<std::uint32_t>> found;
  std::set<std::uint32_t> live;
  auto rows = store.list(TL_KIND_OBSERVATION);
  for (const tl_row& row : rows) {
    const std::string id(view(row.observation->id));
    const std::string trace(view(row.observation->trace_id));
    if (trace == kLiveTrace) {
      judge_live(id, rows.payload(TL_FIELD_OUTPUT), expected);
      live.insert(static_cast<std::uint32_t>(std::stoul(id.substr(id.find('-') + 1))));
      continue;
    }
    const auto group = static_cast<std::uint32_t>(std::stoul(trace.substr(1)));
    const auto index = static_cast<std::uint32_t>(std::stoul(id.substr(id.find('-') + 1)));
    std::string input = input_of(group, index);
    if (row.observation->input.form == TL_FORM_JSON) input = "\"" + input + "\"";
    if (rows.payload(TL_FIELD_INPUT) != input) {
      throw Finding("unsound: the input of " + id);
    }
    found[group].insert(index);
  }
  for (const auto& [number, size_bytes] : expected.streamed) {
    if (!live.contains(number)) throw Finding("lost: live-" + std::to_string(number));
  }
  std::set<std::uint32_t> groups;
  for (const auto& [group, indexes] : found) {
    if (indexes.size() != size_of_group(group)) {
      throw Finding("half: " + trace_of_group(group) + " has " + std::to_string(indexes.size()) +
                    " of " + std::to_string(size_of_group(group)));
    }
    groups.insert(group);
  }
  return groups;
}

void compare(const std::set<std::uint32_t>& groups, const Expected& expected) {
  for (const std::uint32_t group : expected.required()) {
    if (!groups.contains(group)) throw Finding("lost: " + trace_of_group(group));
  }
  for (const std::uint32_t group : groups) {
    if (!expected.begun.contains(group)) {
      throw Finding("unsound: " + trace_of_group(group) + " was never put");
    }
    if (expected.deleted.contains(group)) {
      throw Finding("lost: " + trace_of_group(group) + " was deleted and came back");
    }
  }
}

// The numbers of commits tell exactly how many of them were lost.
void compare_heads(const std::string& path, const Expected& expected) {
  const std::uint64_t head = head_of(path);
  if (head + (expected.may_lose_last ? 1 : 0) < expected.head) {
    throw Finding("lost: the newest commit is " + std::to_string(head) + ", there was " +
                  std::to_string(expected.head));
  }
}

// Before anybody opens it.
void look_for_erased(const std::string& path, const Expected& expected) {
  if (expected.erased.empty()) return;
  const std::string bytes = store::test::read_file(path);
  for (const std::uint32_t group : expected.erased) {
    for (const std::string& trait : traits_of(group)) {
      if (bytes.find(trait) == std::string::npos) continue;
      throw Finding("unsound: the disk still says what " + trace_of_group(group) + " had");
    }
  }
}

void go_on(Store& store) {
  constexpr const char* kAfterwards = "what is recorded afterwards";
  store.put(cpp::Observation().id("x-0").trace_id("after").input(cpp::plain(kAfterwards)));
  store.flush();
  auto row = store.get(TL_KIND_OBSERVATION, "x-0", "after");
  if (row.next() == nullptr || row.payload(TL_FIELD_INPUT) != kAfterwards) {
    throw Finding("unsound: what is recorded afterwards is not there");
  }
}

void judge_file(const std::string& path, const Expected& expected, bool thorough) {
  look_for_erased(path, expected);
  compare_heads(path, expected);
  if (thorough && head_of(path) > 0) {
    tl_options options = Store::options();
    options.read_only = 1;
    const Store reading(path, options);
    compare(groups_of(reading, expected), expected);
  }
  {
    Store store(path);
    check(store);
    compare(groups_of(store, expected), expected);
    go_on(store);
    store.close();
  }
  for (const auto& entry : std::filesystem::directory_iterator(path.substr(0, path.rfind('/')))) {
    if (entry.path() != path) {
      throw Finding("unsound: left behind: " + entry.path().filename().string());
    }
  }
  if (!thorough) return;
  const Store again(path);
  check(again);
}

}  // namespace

std::string judge(const std::string& path, const Expected& expected, bool thorough) {
  try {
    judge_file(path, expected, thorough);
  } catch (const Finding& finding) {
    return finding.what();
  } catch (const std::exception& error) {
    return std::string("unsound: ") + error.what();
  }
  return {};
}

}  // namespace tracelite::crash::test

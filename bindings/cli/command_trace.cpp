// trace: one trace as a tree, or as one JSON object.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"
#include "model_text.hpp"

namespace cli {

using tracelite::has;
using tracelite::view;

namespace {

constexpr std::size_t kWidthOfLevel = 3;

struct TraceRequest {
  std::string database;
  std::string trace;
  bool json = false;
  bool as_stored = false;
};

tl_filter of_trace(const std::string& trace) {
  tl_filter filter = tracelite::filter();
  filter.trace_id = tracelite::text(trace);
  return filter;
}

// -------------------------------------------------------------------------------------- branches

// The shape of a tree of any depth: what a row must know of the rows after it.
class Branches {
 public:
  // levels_max: how many levels are drawn; deeper rows tell their depth in a number.
  Branches(const std::vector<std::uint32_t>& depths, std::size_t levels_max)
      : is_last_(depths.size()), depths_(depths), levels_max_(levels_max) {
    std::vector<bool> has_later_sibling;  // by depth, seen from the end
    for (std::size_t row = depths.size(); row-- > 0;) {
      has_later_sibling.resize(depths[row] + std::size_t{1});
      is_last_[row] = !has_later_sibling[depths[row]];
      has_later_sibling[depths[row]] = true;
    }
  }

  // Rows are visited in order. Before the headline of a row, and before the lines below it.
  struct Prefix {
    std::string headline, below;
  };
  Prefix next() {
    const std::size_t depth = depths_[row_];
    const bool is_last = is_last_[row_];
    const bool has_children = row_ + 1 < depths_.size() && depths_[row_ + 1] > depth;
    is_open_.resize(depth + 1);
    is_open_[depth] = !is_last;
    ++row_;

    Prefix prefix;
    for (std::size_t level = 1; level < std::min(depth, levels_max_); ++level) {
      prefix.headline += is_open_[level] ? "│  " : "   ";
    }
    prefix.below = prefix.headline;
    if (depth > levels_max_) {
      prefix.headline += "⋮ " + format_count(depth) + " ";
      prefix.below += "⋮  ";
    } else if (depth > 0) {
      prefix.headline += is_last ? "└─ " : "├─ ";
      prefix.below += is_last ? "   " : "│  ";
    }
    if (depth > 0) prefix.below += has_children && depth < levels_max_ ? "│  " : "   ";
    return prefix;
  }

 private:
  std::vector<bool> is_last_;
  const std::vector<std::uint32_t>& depths_;
  std::size_t levels_max_;
  std::vector<bool> is_open_;  // by depth: the branch of this ancestor goes on below
  std::size_t row_ = 0;
};

std::vector<std::uint32_t> depths_of(const tracelite::Snapshot& snapshot,
                                     const std::string& trace) {
  std::vector<std::uint32_t> depths;
  for (const tl_row& row : snapshot.tree(trace)) depths.push_back(row.depth);
  return depths;
}

// ---------------------------------------------------------------------------------------- people

struct ScoreText {
  std::string name, value, comment;
};
// By observation id; those of the trace itself under "".
using ScoreTexts = std::unordered_map<std::string, std::vector<ScoreText>>;

ScoreTexts scores_of(const tracelite::Snapshot& snapshot, const std::string& trace) {
  ScoreTexts scores;
  tracelite::Cursor cursor =
      snapshot.list(TL_KIND_SCORE, of_trace(trace), TL_ORDER_TIME | TL_ORDER_ASCENDING);
  for (const tl_row& row : cursor) {
    const tl_score& score = *row.score;
    const bool is_of_observation = has(score, TL_FIELD_OBSERVATION_ID);
    scores[is_of_observation ? std::string(view(score.observation_id)) : ""].push_back(
        {shown(score.name), score_value(score), shown(score.comment)});
  }
  return scores;
}

void show_head(Line& line, const tl_row& row) {
  const tl_trace& trace = *row.trace;
  line.add(has(trace, TL_FIELD_NAME) ? shown(trace.name) : "trace", Style::bold);
  line.add("  ").add(shown(trace.id), Style::dim).end();

  add_sums(line, *row.aggregate, trace.timestamp_ns);
  line.end();

  std::string labels = shown(trace.environment);
  if (has(trace, TL_FIELD_SESSION_ID)) labels += ", session " + shown(trace.session_id);
  if (has(trace, TL_FIELD_USER_ID)) labels += ", user " + shown(trace.user_id);
  if (has(trace, TL_FIELD_RELEASE)) labels += ", release " + shown(trace.release);
  if (has(trace, TL_FIELD_VERSION)) labels += ", version " + shown(trace.version);
  for (std::size_t at = 0; at < trace.tag_count; ++at) labels += " #" + shown(trace.tags[at]);
  if (trace.is_bookmarked != 0) labels += ", bookmarked";
  if (trace.is_public != 0) labels += ", public";
  line.add(labels, Style::dim).end();
}

void show_payload(Line& line, const std::string& prefix, const char* label,
                  const tracelite::Cursor& cursor, tl_field field, const tl_payload& payload) {
  line.add(prefix, Style::dim).add(label, Style::dim);
  const std::string text = preview(cursor, field, payload, line.room());
  if (text.empty()) {
    line.drop();
  } else {
    line.add(text).end();
  }
}

void show_scores(Line& line, const std::string& prefix, const ScoreTexts& scores,
                 const std::string& observation) {
  const auto found = scores.find(observation);
  if (found == scores.end()) return;
  for (const ScoreText& score : found->second) {
    line.add(prefix, Style::dim).add("★ ", Style::yellow).add(score.name + " ");
    line.add(score.value, Style::bold);
    if (!score.comment.empty()) line.add("  " + score.comment, Style::dim);
    line.end();
  }
}

void show_tree(Output& output, const tracelite::Snapshot& snapshot, const std::string& trace) {
  const std::size_t width = output.line_width();
  const std::vector<std::uint32_t> depths = depths_of(snapshot, trace);
  Branches branches(depths, std::max<std::size_t>(1, width / 2 / kWidthOfLevel));
  const ScoreTexts scores = scores_of(snapshot, trace);
  Line line(output, width);
  tracelite::Cursor cursor = snapshot.tree(trace);
  while (const tl_row* row = cursor.next()) {
    stop_if_interrupted();
    const auto [headline, below] = branches.next();
    if (row->kind == TL_KIND_TRACE) {
      show_head(line, *row);
      show_payload(line, below, "in  ", cursor, TL_FIELD_INPUT, row->trace->input);
      show_payload(line, below, "out ", cursor, TL_FIELD_OUTPUT, row->trace->output);
      show_scores(line, below, scores, "");
      output.write("\n");
      continue;
    }
    const tl_observation& observation = *row->observation;
    line.add(headline, Style::dim);
    add_title(line, observation);
    add_facts(line, *row);
    line.end();
    show_payload(line, below, "in  ", cursor, TL_FIELD_INPUT, observation.input);
    show_payload(line, below, "out ", cursor, TL_FIELD_OUTPUT, observation.output);
    show_scores(line, below, scores, std::string(view(observation.id)));
  }
}

// ------------------------------------------------------------------------------------------ JSON

void write_json(Output& output, const tracelite::Snapshot& snapshot, const std::string& trace,
                bool as_stored) {
  JsonWriter json(output, as_stored ? TL_READ_AS_STORED : TL_READ_AS_GIVEN);
  tracelite::Cursor tree = snapshot.tree(trace);
  json.begin_object();
  bool has_array = false;
  while (const tl_row* row = tree.next()) {
    stop_if_interrupted();
    if (row->kind == TL_KIND_TRACE) {
      write_trace_members(json, *row, tree, Payloads::all);
      json.key("observations").begin_array();
      has_array = true;
    } else if (has_array) {
      write_observation(json, *row->observation, tree, Payloads::all);
    }
    json.pass_on();
  }
  json.end_array().key("scores").begin_array();
  tracelite::Cursor scores =
      snapshot.list(TL_KIND_SCORE, of_trace(trace), TL_ORDER_TIME | TL_ORDER_ASCENDING);
  while (const tl_row* row = scores.next()) {
    write_score(json, *row->score, scores, Payloads::all);
    json.pass_on();
  }
  json.end_array().end_object();
  json.end_line();
}

int run_trace(Output& output, const TraceRequest& request) {
  const tracelite::Store store = open_to_read(request.database);
  const tracelite::Snapshot snapshot = store.snapshot();
  look_up(request.database, "trace", request.trace, [&] {
    request.json ? write_json(output, snapshot, request.trace, request.as_stored)
                 : show_tree(output, snapshot, request.trace);
  });
  return kExitOk;
}

}  // namespace

void add_trace(CLI::App& app, Action& action) {
  auto request = std::make_shared<TraceRequest>();
  CLI::App& command = *app.add_subcommand("trace", "Show a trace as a tree")->group("Reading");
  add_database_to_read(command, request->database);
  command.add_option("TRACE_ID", request->trace, "The id of the trace")->required()->type_name("");
  add_json(
      command, request->json,
      "One JSON object: the trace with its observations, in the order of the tree, and scores");
  add_as_stored(command, request->as_stored);
  command.callback([request, &action] {
    action = [request](Output& output) { return run_trace(output, *request); };
  });
}

void show_trace(Output& output, const std::string& database, const std::string& trace) {
  run_trace(output, {database, trace});
}

}  // namespace cli

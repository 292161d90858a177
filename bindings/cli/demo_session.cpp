#include "demo_session.hpp"

#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include "human_text.hpp"

namespace cli {

using tracelite::cost;
using tracelite::json;
using tracelite::Observation;
using tracelite::plain;
using tracelite::Score;
using tracelite::Span;
using tracelite::Store;
using tracelite::text;
using tracelite::Trace;
using tracelite::usage;

namespace {

constexpr const char* kSession = "kyoto-trip";
constexpr const char* kUser = "ada";
constexpr const char* kModel = "gpt-4.1";
constexpr std::int64_t kSessionLengthMs = 60'000;
constexpr auto kTimePerPiece = std::chrono::milliseconds(12);

// Records the session with times of its own, so that it takes a moment and reads like a minute.
class Recorder {
 public:
  Recorder(Store& store, const Listener& listener)
      : store_(store),
        listener_(listener),
        began_ns_(std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count() -
                  kSessionLengthMs * kNsPerMs) {}

  [[nodiscard]] std::int64_t at(std::int64_t ms) const { return began_ns_ + ms * kNsPerMs; }

  void ask(const char* trace_id, std::int64_t ms, const char* name, std::string_view question) {
    say("user", question);
    store_.put(Trace(trace_id)
                   .timestamp(at(ms))
                   .name(name)
                   .session(kSession)
                   .user(kUser)
                   .release("2.3.0")
                   .environment("demo")
                   .tags({text("travel"), text("demo")})
                   .input(plain(question)));
  }
  void answer(const char* trace_id, std::string_view answer) {
    store_.put(Trace(trace_id).output(plain(answer)));
  }

  Span begin(const char* trace_id, const char* name, std::int64_t ms, tl_payload input) {
    return store_.begin(
        Observation().trace_id(trace_id).type(TL_TYPE_AGENT).name(name).start(at(ms)).input(input));
  }
  Span begin(const Span& parent, tl_type type, const char* name, std::int64_t ms,
             tl_payload input) {
    return store_.begin(parent, Observation().type(type).name(name).start(at(ms)).input(input));
  }
  void end(Span& span, std::int64_t ms, tl_payload output) const {
    span.end(Observation().end(at(ms)).output(output));
  }

  // A generation that streams: its first piece comes at first_ms.
  Span begin_generation(const Span& parent, const char* name, std::int64_t ms,
                        std::int64_t first_ms, const char* messages) {
    return store_.begin(parent, Observation()
                                    .type(TL_TYPE_GENERATION)
                                    .name(name)
                                    .start(at(ms))
                                    .completion_start(at(first_ms))
                                    .model(kModel)
                                    .model_parameters(R"({"temperature":0.3})")
                                    .input(json(messages)));
  }
  void stream(Span& span, std::string_view who, std::string_view answer) const {
    while (!answer.empty()) {
      const std::string_view piece = answer.substr(0, answer.find(' ', 1));
      span.append(TL_FIELD_OUTPUT, piece);
      say(who, piece);
      std::this_thread::sleep_for(kTimePerPiece);
      answer.remove_prefix(piece.size());
    }
  }
  void end_generation(Span& span, std::int64_t ms, std::uint64_t input, std::uint64_t output,
                      const char* input_cost, const char* output_cost) const {
    span.end(Observation()
                 .end(at(ms))
                 .usage({usage("input", input), usage("output", output)})
                 .cost({cost("input", input_cost), cost("output", output_cost)}));
  }

  void say(std::string_view who, std::string_view piece) const { listener_(who, piece); }

 private:
  Store& store_;
  const Listener& listener_;
  std::int64_t began_ns_;
};

// The first turn: looked up, answered, liked.
void record_search(Store& store, Recorder& record, const char* trace) {
  constexpr const char* kQuestion = "Find a quiet ryokan in Kyoto for two nights in April.";
  constexpr const char* kAnswer =
      "Two quiet ones: 柊家旅館 (Hiiragiya), old and central, or Yoshimizu, small, in the park.";
  record.ask(trace, 0, "find a room", kQuestion);
  Span agent = record.begin(trace, "concierge", 12, plain(kQuestion));
  Span search = record.begin(agent, TL_TYPE_RETRIEVER, "search-rooms", 40,
                             json(R"({"city":"Kyoto","kind":"ryokan","nights":2,"month":4})"));
  record.end(search, 382,
             json(R"([{"name":"柊家旅館","yen":62000},{"name":"Yoshimizu","yen":21000}])"));
  Span reply = record.begin_generation(
      agent, "answer", 395, 810,
      R"([{"role":"system","content":"You are a concierge."},)"
      R"({"role":"user","content":"Find a quiet ryokan in Kyoto for two nights in April."}])");
  record.stream(reply, "agent", kAnswer);
  record.end_generation(reply, 2240, 486, 31, "0.000972", "0.000248");
  record.end(agent, 2260, plain(kAnswer));
  record.answer(trace, kAnswer);
  store.put(Score("demo-score-liked", "user-feedback")
                .trace_id(trace)
                .data_type(TL_DATA_TYPE_BOOLEAN)
                .number(1)
                .comment("exactly what I hoped for")
                .timestamp(record.at(9'000)));
}

// A tool that fails once and then succeeds.
void record_booking(Recorder& record, const Span& agent) {
  constexpr const char* kRoom = R"({"room":"Yoshimizu","from":"2027-04-03","nights":2})";
  Span booking = record.begin(agent, TL_TYPE_TOOL, "book-room", 32'900, json(kRoom));
  booking.end(Observation()
                  .end(record.at(37'910))
                  .level(TL_LEVEL_ERROR)
                  .status("504: the hotel did not answer within 5 s"));
  Span retry = record.begin(agent, TL_TYPE_EVENT, "retry", 37'920, json(R"({"attempt":2})"));
  retry.end(Observation().level(TL_LEVEL_WARNING).end(record.at(37'920)));
  Span again = record.begin(agent, TL_TYPE_TOOL, "book-room", 37'930, json(kRoom));
  record.end(again, 39'120, json(R"({"booking":"YM-20417","yen":42000})"));
}

// The second turn: checked, planned, booked at the second attempt. The mail is never done.
Span record_second_turn(Store& store, Recorder& record, const char* trace) {
  constexpr const char* kQuestion = "Book Yoshimizu from 3 April, and mail me the details.";
  constexpr const char* kAnswer = "Booked: Yoshimizu, 3 to 5 April, 42,000 yen (YM-20417).";
  record.ask(trace, 31'000, "book the room", kQuestion);
  Span agent = record.begin(trace, "concierge", 31'010, plain(kQuestion));
  Span guard = record.begin(agent, TL_TYPE_GUARDRAIL, "spending-limit", 31'020,
                            json(R"({"yen":42000,"limit":80000})"));
  record.end(guard, 31'034, json(R"({"allowed":true})"));
  Span plan = record.begin_generation(
      agent, "plan", 31'040, 31'600,
      R"([{"role":"user","content":"Book Yoshimizu from 3 April, and mail me the details."}])");
  plan.update(Observation().output(
      json(R"({"tool_calls":[{"name":"book-room","arguments":{"room":"Yoshimizu"}}]})")));
  record.end_generation(plan, 32'880, 612, 44, "0.001224", "0.000352");
  record_booking(record, agent);

  Span reply =
      record.begin_generation(agent, "answer", 39'130, 39'480,
                              R"([{"role":"tool","content":{"booking":"YM-20417","yen":42000}}])");
  const std::string reply_id = reply.id();
  record.stream(reply, "agent", kAnswer);
  record.end_generation(reply, 40'700, 701, 27, "0.001402", "0.000216");
  Span mail = record.begin_generation(
      agent, "write-mail", 40'710, 41'050,
      R"([{"role":"user","content":"Write a mail with the details of booking YM-20417."}])");
  record.end(agent, 40'720, plain(kAnswer));
  record.answer(trace, kAnswer);
  record.stream(mail, "mail", "Dear Ada, your room at Yoshimizu is");
  store.put(Score("demo-score-grounded", "grounded")
                .trace_id(trace)
                .observation_id(reply_id)
                .number(0.97)
                .source(TL_SOURCE_EVAL)
                .timestamp(record.at(45'000)));
  return mail;
}

}  // namespace

DemoSession record_demo_session(Store& store, const Listener& listener) {
  constexpr const char* kFirstTrace = "0af7651916cd43dd8448eb211c80319c";
  constexpr const char* kSecondTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
  Recorder record(store, listener);
  record_search(store, record, kFirstTrace);
  Span unfinished = record_second_turn(store, record, kSecondTrace);
  store.put(Score("demo-score-session", "goal-reached")
                .session(kSession)
                .string("partly")
                .source(TL_SOURCE_ANNOTATION)
                .comment("booked, but the mail never left")
                .timestamp(record.at(kSessionLengthMs)));
  return {kSession, kSecondTrace, std::move(unfinished)};
}

}  // namespace cli

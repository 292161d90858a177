// An agent with nested tools, through tracelite.hpp: it looks up two cities' weather, in parallel,
// one look-up fails at first, and an evaluator scores the answer. Then its trace is shown as a
// tree.
//
//     nested_agent [FILE]

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

#include "tracelite/tracelite.hpp"

using namespace tracelite;

namespace {

// A tool that calls another one: the HTTP request is a child of the look-up.
void look_up_weather(Store& store, const Span& agent, const std::string& city, bool is_down) {
  Span tool = store.begin(agent, Observation()
                                     .type(TL_TYPE_TOOL)
                                     .name("weather")
                                     .input(json(R"({"city":")" + city + R"("})")));
  {
    Span request = store.begin(tool, Observation().name("GET /forecast"));
    if (is_down) {
      request.end(Observation().level(TL_LEVEL_ERROR).status("503 Service Unavailable"));
      request = store.begin(tool, Observation().name("GET /forecast (again)"));
    }
  }  // a span that nobody has ended ends here
  tool.end(Observation().output(json(R"({"sky":"clear","celsius":21})")));
}

std::string run_agent(Store& store) {
  Span agent = store.begin(Observation()
                               .type(TL_TYPE_AGENT)
                               .name("compare cities")
                               .user("ada")
                               .session("weather")
                               .input(plain("Where is it warmer, Oslo or Kyoto?")));

  // Handles say who the parent is, so threads need no context of their own.
  std::thread oslo([&] { look_up_weather(store, agent, "Oslo", false); });
  std::thread kyoto([&] { look_up_weather(store, agent, "Kyoto", true); });
  oslo.join();
  kyoto.join();

  Span answer = store.begin(agent, Observation()
                                       .type(TL_TYPE_GENERATION)
                                       .name("answer")
                                       .model("example-model")
                                       .model_parameters(R"({"temperature":0})"));
  for (const char* piece : {"It is ", "the same: ", "21 degrees."}) {
    answer.append(TL_FIELD_OUTPUT, piece);
  }
  answer.end(Observation()
                 .usage({usage("input", 120), usage("output", 9)})
                 .cost({cost("input", "0.00024"), cost("output", "0.000072")}));

  const std::string trace_id = agent.trace_id();
  store.put(Score("score-" + trace_id, "correct").trace_id(trace_id).number(1));
  agent.end(Observation().output(plain("It is the same: 21 degrees.")));
  return trace_id;
}

void show_tree(const Store& store, const std::string& trace_id) {
  for (const tl_row& row : store.tree(trace_id)) {
    std::cout << std::string(row.depth * 2, ' ');
    if (row.kind == TL_KIND_TRACE) {
      std::cout << "trace " << view(row.trace->id) << ", " << row.aggregate->observation_count
                << " observations, $" << view(row.aggregate->total_cost) << '\n';
    } else {
      std::cout << view(row.observation->name);
      if (row.observation->level == TL_LEVEL_ERROR) {
        std::cout << "  ERROR: " << view(row.observation->status_message);
      }
      std::cout << '\n';
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const char* folder = std::getenv("TMPDIR");
    const std::string path =
        argc > 1 ? argv[1]
                 : std::string(folder != nullptr ? folder : "/tmp") + "/tracelite-agent.tl";
    Store store(path);
    const std::string trace_id = run_agent(store);
    store.flush();
    show_tree(store, trace_id);
    store.close();
    std::cout << "recorded in " << path << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "nested_agent: " << error.what() << '\n';
    return 1;
  }
}

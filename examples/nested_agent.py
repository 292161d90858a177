"""An agent with nested tools, recorded while it works, then read back as a tree.

python3 examples/nested_agent.py [FILE]

Every step is a `with` block: it ends when the block ends, and an exception in it is recorded
with it. The file is readable at any moment, and a crash loses nothing that was flushed.
"""

import os
import sys
import tempfile
from typing import Any, Dict, Iterator, List

from tracelite import Observation, Span, Store

WEATHER = {"Oslo": "rain", "Rome": "sun"}


def look_up(span: Span, city: str) -> str:
    """A tool. Rome's station is broken, so the tool has to ask a neighbour."""
    with span.span(name="station", type="retriever", input={"city": city}) as station:
        if city == "Rome":
            raise ConnectionError("station is down")
        station.update(output=WEATHER[city])
    return WEATHER[city]


def weather(agent: Span, city: str) -> str:
    with agent.span(name="weather", type="tool", input={"city": city}) as tool:
        try:
            answer = look_up(tool, city)
        except ConnectionError:
            with tool.span(name="neighbour", type="tool", input={"near": city}) as neighbour:
                answer = WEATHER[city]
                neighbour.update(output=answer)
        tool.update(output=answer)
        return answer


def model(agent: Span, messages: List[Dict[str, Any]]) -> str:
    """A model that streams its answer."""

    def stream() -> Iterator[str]:
        yield from ("Take ", "an ", "umbrella ", "to ", "Oslo.")

    with agent.span(
        name="answer",
        type="generation",
        model="tiny-1",
        model_parameters={"temperature": 0},
        input=messages,
    ) as generation:
        words = []
        for word in stream():
            generation.append(word)
            words.append(word)
        generation.update(
            usage_details={"input": 42, "output": len(words)}, cost_details={"total": "0.00021"}
        )
        return "".join(words)


def run_agent(store: Store) -> str:
    question = "Where do I need an umbrella?"
    with store.span(name="trip", type="agent", session_id="holidays", input=question) as agent:
        store.put_trace(agent.trace_id, name="trip", user_id="ada", tags=["example"])
        reports = {city: weather(agent, city) for city in ("Oslo", "Rome")}
        messages: List[Dict[str, Any]] = [
            {"role": "user", "content": question},
            {"role": "tool", "content": reports},
        ]
        agent.update(output=model(agent, messages))
        store.put_score(trace_id=agent.trace_id, name="helpful", value=True)
    return agent.trace_id


def show(row: Observation) -> None:
    note = f"  {row.level}: {row.status_message}" if row.level == "ERROR" else ""
    print("  " * row.depth + f"{row.type} {row.name} -> {row.output!r}{note}")


def main(path: str) -> None:
    with Store(path) as store:
        trace_id = run_agent(store)
        store.flush()
        trace = store.trace(trace_id)
        print(f"{trace.name} by {trace.user_id}, ${trace.aggregate and trace.aggregate.total_cost}")
        for row in trace.observations:
            show(row)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(os.path.join(folder, "agent.tl"))

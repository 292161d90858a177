"""A small day of events that most tests of the command line work on."""

from __future__ import annotations

from program import Json, clock, event

INPUT = '{ "q":"why?",\n  "n":1.50 }'  # as it was written: spaces, a newline, a trailing zero


def events() -> list[Json]:
    """Two sessions, three traces, six observations, three scores."""
    return [
        event(
            "trace-create",
            {
                "id": "trace-1",
                "timestamp": clock(0),
                "name": "question",
                "sessionId": "morning",
                "userId": "ada",
                "release": "1.0",
                "version": "v1",
                "environment": "production",
                "tags": ["red", "blue"],
                "metadata": {"plan": "pro", "seats": 3},
                "input": "why?",
                "output": {"answer": "because"},
            },
        ),
        event(
            "agent-create",
            {
                "id": "agent",
                "traceId": "trace-1",
                "name": "agent",
                "startTime": clock(1),
                "endTime": clock(6),
                "environment": "production",
            },
            second=1,
        ),
        event(
            "generation-create",
            {
                "id": "generation",
                "traceId": "trace-1",
                "parentObservationId": "agent",
                "name": "answer",
                "model": "example-model",
                "modelParameters": {"temperature": 0.5},
                "startTime": clock(2),
                "completionStartTime": clock(3),
                "endTime": clock(4, "250"),
                "usageDetails": {"input": 100, "output": 20},
                "costDetails": {"input": 0.001, "output": 0.0005},
                "promptName": "greeting",
                "promptVersion": 7,
                "input": {"q": "why?"},
                "output": "because",
                "environment": "production",
            },
            second=2,
        ),
        event(
            "tool-create",
            {
                "id": "tool",
                "traceId": "trace-1",
                "parentObservationId": "agent",
                "name": "look up",
                "level": "ERROR",
                "statusMessage": "not found",
                "startTime": clock(5),
                "endTime": clock(6),
                "environment": "production",
            },
            second=5,
        ),
        event(
            "score-create",
            {
                "id": "score-1",
                "traceId": "trace-1",
                "observationId": "generation",
                "name": "quality",
                "value": 0.75,
                "comment": "fine",
                "environment": "production",
            },
            second=7,
        ),
        event(
            "trace-create",
            {
                "id": "trace-2",
                "timestamp": clock(60),
                "name": "question",
                "sessionId": "morning",
                "userId": "bob",
                "tags": ["blue"],
                "metadata": {"plan": "free"},
            },
            second=60,
        ),
        event(
            "span-create",
            {
                "id": "hanging",
                "traceId": "trace-2",
                "name": "fetch",
                "startTime": clock(61),
            },
            second=61,
        ),
        event(
            "event-create",
            {
                "id": "point",
                "traceId": "trace-2",
                "parentObservationId": "hanging",
                "name": "cache miss",
                "level": "WARNING",
                "startTime": clock(62),
            },
            second=62,
        ),
        event(
            "score-create",
            {"id": "score-2", "traceId": "trace-2", "name": "mood", "value": "good"},
            second=63,
        ),
        event(
            "trace-create",
            {
                "id": "trace-3",
                "timestamp": clock(120),
                "sessionId": "evening",
                "userId": "ada",
            },
            second=120,
        ),
        event(
            "span-create",
            {
                "id": "single",
                "traceId": "trace-3",
                "startTime": clock(121),
                "endTime": clock(122),
            },
            second=121,
        ),
        event(
            "score-create",
            {"id": "score-3", "sessionId": "evening", "name": "solved", "value": 1},
            second=123,
        ),
    ]

"""The Python side of bench/peer.mjs: one JSON object a line, in and out."""

import json
import sys
import time


def serve(name, handle):
    """Says who we are, then answers each request with handle(request), a dict."""
    print(json.dumps({"name": name}), flush=True)
    for line in sys.stdin:
        try:
            answer = handle(json.loads(line))
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


def times(call, reps):
    """Milliseconds of each of `reps` calls."""
    result = []
    for _ in range(reps):
        begin = time.perf_counter()
        call()
        result.append((time.perf_counter() - begin) * 1e3)
    return result

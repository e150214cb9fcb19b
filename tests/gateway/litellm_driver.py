"""Runs in the virtual environment of LiteLLM: a call in on each line of standard input, its result out, both as JSON."""

import gc
import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network as it is imported

import litellm

litellm.suppress_debug_info = True


def run(call: str, arguments: dict) -> dict:
    try:
        made = getattr(litellm, call)(**arguments)
        if arguments.get("stream"):
            return {"chunks": [chunk.model_dump(mode="json") for chunk in made]}
        return {"answer": made.model_dump(mode="json")}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": kinds, "status": getattr(error, "status_code", None), "message": str(error)}


# A broken stream that is collected while httpcore assigns connections waits for ever for the lock that this holds.
gc.disable()
for line in sys.stdin:
    asked = json.loads(line)
    gc.collect()
    print("\x00" + json.dumps(run(asked["call"], asked["arguments"])), flush=True)

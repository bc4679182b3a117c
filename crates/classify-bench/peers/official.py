"""Classifies a folder with the official client, as in its documentation: upload, then `classify.run`.

compare.py runs this inside an environment of its own. Prints one JSON object.
"""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llama_cloud import LlamaCloud

folder, rules, threads = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
# Key and base URL come from the environment; retries and time limits are the client's defaults.
client = LlamaCloud()
errors = Counter()


def classify(path: Path) -> bool:
    try:
        file = client.files.create(file=path, purpose="classify")
        job = client.classify.run(file_input=file.id, configuration={"rules": rules})
    except Exception as error:
        errors[type(error).__name__] += 1
        return False
    return job.status == "COMPLETED" and job.result is not None


with ThreadPoolExecutor(threads) as pool:
    outcomes = sum(pool.map(classify, sorted(folder.iterdir())))
print(json.dumps({"outcomes": outcomes, "errors": errors}))

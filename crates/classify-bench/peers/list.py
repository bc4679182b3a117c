"""Lists every job with the official client and adds up their confidences: list.py BASE_URL."""

import sys

from llama_cloud import LlamaCloud

client = LlamaCloud(api_key="llx-bench", base_url=sys.argv[1])
jobs, confidence = 0, 0.0
for job in client.classify.list(page_size=100):
    jobs += 1
    confidence += job.result.confidence or 0.0
with open("/proc/self/status", encoding="ascii") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
print(f"jobs {jobs} confidence {confidence:.2f} peak_kib {peak}")

"""Scenarios for the official Python client against version 1 of the API, which its newer releases no longer have."""

import sys

from harness import CONTRACT, INVOICE, RULES, SCHEMA, client, run, seen_routes
from llama_cloud import LlamaCloud, NotFoundError, UnprocessableEntityError

cloud = client(LlamaCloud)
FAST = {"polling_interval": 0.02, "max_interval": 0.05}


def upload(name, content):
    return cloud.files.create(file=(name, content), purpose="classify").id


def create_to_results():
    files = [upload("bill.txt", INVOICE), upload("deal.txt", CONTRACT)]
    uuids = [file.removeprefix("dfl-") for file in files]
    job = cloud.classifier.jobs.create(file_ids=uuids, rules=RULES, mode="FAST")
    assert job.status == "PENDING"
    done = cloud.classifier.wait_for_completion(job.id, **FAST)
    assert done.status == "SUCCESS", done
    results = cloud.classifier.jobs.get_results(job.id)
    assert [(item.file_id, item.result.type) for item in results.items] == list(zip(uuids, ["invoice", "contract"]))


def classify_helper():
    results = cloud.classifier.classify(file_ids=[upload("bill.txt", INVOICE).removeprefix("dfl-")], rules=RULES, **FAST)
    assert results.items[0].result.type == "invoice"


def partial_success():
    files = [upload("bill.txt", INVOICE), upload("broken-a.txt", INVOICE)]
    job = cloud.classifier.jobs.create(file_ids=[file.removeprefix("dfl-") for file in files], rules=RULES)
    assert cloud.classifier.wait_for_completion(job.id, **FAST).status == "PARTIAL_SUCCESS"
    assert cloud.classifier.jobs.get_results(job.id).items[1].result is None


def parsing_and_lists():
    file = upload("bill.txt", INVOICE).removeprefix("dfl-")
    parsing = {"lang": "de", "max_pages": 2, "target_pages": [0, 2]}
    jobs = [
        cloud.classifier.jobs.create(file_ids=[file], rules=RULES, parsing_configuration=parsing).id for _ in range(3)
    ]
    assert [job.id for job in cloud.classifier.jobs.list(page_size=1)] == list(reversed(jobs))
    assert cloud.classifier.jobs.get(jobs[0]).parsing_configuration.target_pages == [0, 2]


def errors():
    for kind, call in [
        (UnprocessableEntityError, lambda: cloud.classifier.jobs.create(file_ids=[], rules=RULES)),
        (NotFoundError, lambda: cloud.classifier.jobs.get("00000000-0000-4000-8000-000000000000")),
    ]:
        try:
            call()
        except kind:
            continue
        raise AssertionError(f"{kind.__name__} was expected")


def version_2_of_this_release():
    file = upload("bill.txt", INVOICE)
    job = cloud.classify.create(file_input=file, configuration={"rules": RULES})
    assert cloud.classify.wait_for_completion(job.id, **FAST).result.type == "invoice"
    stuck = cloud.classify.create(file_input=upload("never-a.txt", INVOICE), configuration={"rules": RULES})
    cloud.classify.cancel(stuck.id)


def every_route_of_version_1_was_checked():
    routes = enumerate(SCHEMA["routes"])
    missing = [route for number, route in routes if number not in seen_routes and "classifier" in route["path"]]
    assert not missing, missing


sys.exit(
    run(
        [
            create_to_results,
            classify_helper,
            partial_success,
            parsing_and_lists,
            errors,
            version_2_of_this_release,
            every_route_of_version_1_was_checked,
        ]
    )
)

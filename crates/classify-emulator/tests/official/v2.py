"""Scenarios for the official Python client against version 2 of the API, as the emulator serves it."""

import datetime
import sys

import httpx
from harness import BASE_URL, CONTRACT, INVOICE, RULES, SCHEMA, Receiver, client, run, seen_routes, signature_is_valid
from llama_cloud import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    LlamaCloud,
    NotFoundError,
    UnprocessableEntityError,
)

cloud = client(LlamaCloud)
FAST = {"polling_interval": 0.02, "max_interval": 0.05}


def expect(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def upload(name, content):
    return cloud.files.create(file=(name, content), purpose="classify")


def upload_create_wait():
    file = upload("bill.txt", INVOICE)
    job = cloud.classify.create(file_input=file.id, configuration={"rules": RULES})
    assert job.status == "PENDING" and job.file_input == file.id
    done = cloud.classify.wait_for_completion(job.id, **FAST)
    assert done.status == "COMPLETED" and done.result.type == "invoice", done
    assert 0.0 <= done.result.confidence <= 1.0 and done.result.reasoning
    assert cloud.classify.get(job.id).usage is None
    assert cloud.classify.get(job.id, expand=["usage"]).usage.credits == 1


def run_helper_with_saved_configuration():
    saved = cloud.configurations.create(name="letters", parameters={"product_type": "classify_v2", "rules": RULES})
    file = upload("deal.txt", CONTRACT)
    done = cloud.classify.run(file_input=file.id, configuration_id=saved.id, **FAST)
    assert done.result.type == "contract" and done.configuration_id == saved.id
    assert [rule.type for rule in done.configuration.rules] == ["invoice", "contract"]


def outcomes_of_every_kind():
    def outcome(name):
        job = cloud.classify.create(file_input=upload(name, INVOICE).id, configuration={"rules": RULES})
        return job.id

    ids = {name: outcome(f"{name}-a.txt") for name in ["broken", "cancelled", "nothing", "fixed"]}
    error = expect(Exception, cloud.classify.wait_for_completion, ids["broken"], **FAST)
    assert "PDF_IS_BROKEN" in str(error), error
    assert cloud.classify.wait_for_completion(ids["nothing"], **FAST).result.type is None
    fixed = cloud.classify.wait_for_completion(ids["fixed"], **FAST)
    assert (fixed.result.type, fixed.result.confidence) == ("anything", 0.75)
    assert cloud.classify.get(ids["cancelled"]).status == "CANCELLED"


def transaction_id_is_one_job():
    file = upload("bill.txt", INVOICE)
    first = cloud.classify.create(file_input=file.id, configuration={"rules": RULES}, transaction_id="t-1")
    second = cloud.classify.create(file_input="other", configuration={"rules": RULES[:1]}, transaction_id="t-1")
    assert (second.id, second.file_input) == (first.id, file.id)
    assert len(list(cloud.classify.list())) == 1


def lists_with_every_filter_and_paging():
    saved = cloud.configurations.create(name="b", parameters={"product_type": "classify_v2", "rules": RULES})
    file = upload("bill.txt", INVOICE)
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=60)
    stuck = upload("never-a.txt", INVOICE)
    jobs = [cloud.classify.create(file_input=file.id, configuration={"rules": RULES}).id for _ in range(5)]
    jobs.append(cloud.classify.create(file_input=file.id, configuration_id=saved.id).id)
    open_job = cloud.classify.create(file_input=stuck.id, configuration={"rules": RULES}).id
    for job in jobs:
        cloud.classify.wait_for_completion(job, **FAST)

    def ids(**filters):
        return [job.id for job in cloud.classify.list(**filters)]

    everything = [open_job, *reversed(jobs)]
    assert ids() == everything
    assert ids(page_size=2) == everything, "automatic paging goes through all pages"
    assert ids(status="COMPLETED", page_size=1) == everything[1:]
    assert ids(job_ids=[jobs[0], open_job]) == [open_job, jobs[0]]
    assert ids(configuration_id=saved.id) == [jobs[-1]]
    assert ids(created_at_on_or_after=before) == everything
    assert ids(created_at_on_or_before=before) == []
    assert ids(project_id="0c8ce2fe-2f4f-4a5b-9d0c-000000000002") == []
    expect(UnprocessableEntityError, cloud.classify.list, page_size=101)
    expect(UnprocessableEntityError, cloud.classify.list, status="DONE")


def cancel_and_delete():
    stuck = cloud.classify.create(file_input=upload("never-b.txt", INVOICE).id, configuration={"rules": RULES})
    patient = client(LlamaCloud, max_retries=0)
    expect(ConflictError, patient.classify.delete, stuck.id)
    assert cloud.classify.cancel(stuck.id).status == "CANCELLED"
    expect(ConflictError, patient.classify.cancel, stuck.id)
    assert cloud.classify.delete(stuck.id).id == stuck.id
    expect(NotFoundError, cloud.classify.get, stuck.id)


def files_in_full():
    first = cloud.files.create(file=("a.txt", INVOICE), purpose="classify", external_file_id="x-1")
    second = upload("b.txt", CONTRACT)
    assert (first.name, first.external_file_id, first.file_type) == ("a.txt", "x-1", "txt")
    assert cloud.files.retrieve(first.id).name == "a.txt"
    assert [file.id for file in cloud.files.list(page_size=1)] == [second.id, first.id]
    assert [file.id for file in cloud.files.list(order_by="name")] == [first.id, second.id]
    assert [file.id for file in cloud.files.list(file_name="b.txt")] == [second.id]
    assert [file.id for file in cloud.files.list(external_file_id="x-1")] == [first.id]
    assert [file.id for file in cloud.files.list(file_ids=[second.id])] == [second.id]
    assert next(iter(cloud.files.list(expand=["download_url"]))).download_url.url
    assert len(cloud.files.query(filter={"file_name": "a.txt"}).items) == 1
    link = cloud.files.content(first.id)
    assert httpx.get(link.url).content == INVOICE
    cloud.files.delete(first.id)
    expect(NotFoundError, cloud.files.retrieve, first.id)
    expect(BadRequestError, upload, "empty.txt", b"")


def configurations_in_full():
    parameters = {"product_type": "classify_v2", "rules": RULES, "parsing_configuration": {"lang": "de"}}
    first = cloud.configurations.create(name="one", parameters=parameters)
    again = cloud.configurations.create(name="one", parameters=parameters)
    assert again.id == first.id and again.version != first.version
    assert cloud.configurations.retrieve(first.id).name == "one"
    assert cloud.configurations.update(first.id, name="two").name == "two"
    names = [one.name for one in cloud.configurations.list(product_type=["classify_v2"], latest_only=True)]
    assert names == ["two"], names
    cloud.configurations.delete(first.id)
    expect(NotFoundError, cloud.configurations.retrieve, first.id)


def webhook_configurations_in_full():
    hook = cloud.webhook_configs.create(webhook_url="https://example.test/a", webhook_signing_secret="secret")
    assert hook.has_secret and hook.tenant_type == "project"
    assert cloud.webhook_configs.retrieve(hook.id).webhook_url == "https://example.test/a"
    assert cloud.webhook_configs.update(hook.id, webhook_events=["classify.error"]).webhook_events == ["classify.error"]
    assert [one.id for one in cloud.webhook_configs.list()] == [hook.id]
    other = cloud.webhook_configs.create(webhook_url="https://example.test/b")
    assert [one.id for one in cloud.webhook_configs.list_paginated(page_size=1)] == [other.id, hook.id]
    expect(UnprocessableEntityError, cloud.webhook_configs.update, hook.id, webhook_events=[])
    cloud.webhook_configs.delete(hook.id)
    cloud.webhook_configs.delete(other.id)


def webhooks_verify():
    receiver = Receiver()
    try:
        hooks = [{"webhook_url": receiver.url, "webhook_signing_secret": "k3y", "webhook_output_format": "json"}]
        file = upload("bill.txt", INVOICE)
        job = cloud.classify.create(
            file_input=file.id, configuration={"rules": RULES}, webhook_configurations=hooks
        )
        received = receiver.wait(3)
        for headers, body in received:
            assert signature_is_valid("k3y", headers, body)
            assert not signature_is_valid("other", headers, body)
            assert job.id.encode() in body
        types = sorted(headers["x-webhook-event-type"] for headers, _ in received)
        assert types == ["classify.pending", "classify.running", "classify.success"], types
    finally:
        receiver.stop()


def errors_are_the_clients_own():
    stranger = client(LlamaCloud, api_key="llx-x", default_headers={"Authorization": ""}, max_retries=0)
    expect(AuthenticationError, stranger.classify.list)
    expect(NotFoundError, cloud.classify.get, "clj-none")
    absent = "dfl-00000000-0000-4000-8000-000000000000"
    expect(BadRequestError, cloud.classify.create, file_input=absent, configuration={"rules": RULES})
    error = expect(UnprocessableEntityError, cloud.classify.create, file_input="x", configuration={"rules": []})
    assert error.body["detail"][0]["loc"] == ["body", "configuration", "rules"], error.body


def faults_are_met_with_retries():
    file = upload("bill.txt", INVOICE)
    for fault, status in [("503", 503), ("429-ms", 429), ("html-502", 502), ("500-after", 500), ("reset-before", None)]:
        plan = {"rules": [{"fault": fault, "route": "classify.create", "when": {"nth": 1}}]}
        httpx.put(f"{BASE_URL}/_emulator/faults", json=plan).raise_for_status()
        key = f"t-{fault}"
        # Spoiled replies are not of the schema: this client is not checked.
        loose = LlamaCloud(base_url=BASE_URL, api_key="llx-test")
        job = loose.classify.create(file_input=file.id, configuration={"rules": RULES}, transaction_id=key)
        assert job.transaction_id == key, status
    httpx.delete(f"{BASE_URL}/_emulator/faults").raise_for_status()
    assert len(list(cloud.classify.list())) == 5
    httpx.put(f"{BASE_URL}/_emulator/faults", json={"rules": [{"fault": "402"}]}).raise_for_status()
    error = expect(APIStatusError, client(LlamaCloud).classify.list)
    httpx.delete(f"{BASE_URL}/_emulator/faults").raise_for_status()
    assert error.status_code == 402


def every_route_of_version_2_was_checked():
    missing = [
        route for number, route in enumerate(SCHEMA["routes"]) if number not in seen_routes and "classifier" not in route["path"]
    ]
    assert not missing, missing



sys.exit(
    run(
        [
            upload_create_wait,
            run_helper_with_saved_configuration,
            outcomes_of_every_kind,
            transaction_id_is_one_job,
            lists_with_every_filter_and_paging,
            cancel_and_delete,
            files_in_full,
            configurations_in_full,
            webhook_configurations_in_full,
            webhooks_verify,
            errors_are_the_clients_own,
            faults_are_met_with_retries,
            every_route_of_version_2_was_checked,
        ]
    )
)

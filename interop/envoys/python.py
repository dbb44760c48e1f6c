"""The envoy of the Python package durabletask. Its programs are those that README.md lists, as this SDK has them.

python interop/envoys/python.py 127.0.0.1:4001
"""

import json
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from durabletask import client as dt_client
from durabletask import entities as dt_entities
from durabletask import scheduled as dt_scheduled
from durabletask import task, worker as dt_worker

address = sys.argv[1]
answers = sys.stdout
sys.stdout = sys.stderr  # what a library prints must not meet the answers

logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
quiet = logging.getLogger("envoy")
quiet.setLevel(logging.WARNING)

client = dt_client.TaskHubGrpcClient(host_address=address, logger=quiet)
worker = None

# ---- activities

calls = {}
calls_lock = threading.Lock()


def counted(key):
    with calls_lock:
        calls[key] = calls.get(key, 0) + 1
        return calls[key]


def greet(_, name):
    return f"Hello {name}!"


def square(_, n):
    return n * n


def echo(_, value):
    return value


def nothing(_, __):
    return None


def describe(_, order):
    return {
        "product": order["product"],
        "total": order["quantity"] * order["price"],
        "labels": len(order["labels"]),
        "paid": False,
        "note": None,
    }


def fail(_, asked):
    if asked.get("key") is not None:
        counted(asked["key"])
    raise RuntimeError(asked["message"]) from IndexError(f"the cause of {asked['message']}")


def flaky(_, asked):
    attempt = counted(asked["key"])
    if attempt <= asked["failures"]:
        raise RuntimeError(f"attempt {attempt} failed")
    return attempt


def tries(_, key):
    return calls.get(key, 0)


def slow(_, asked):
    with open(asked["file"], "a", encoding="utf-8") as file:
        file.write(f"began {os.getpid()}\n")
    time.sleep(asked["ms"] / 1000)
    with open(asked["file"], "a", encoding="utf-8") as file:
        file.write(f"ended {os.getpid()}\n")
    return "slept"


# ---- orchestrators


def retry(attempts):
    return task.RetryPolicy(first_retry_interval=timedelta(milliseconds=100), max_number_of_attempts=attempts)


def chain(ctx, name):
    first = yield ctx.call_activity("py.greet", input=name)
    second = yield ctx.call_activity("py.greet", input=first)
    return [first, second]


def fan_out(ctx, n):
    squares = yield task.when_all([ctx.call_activity("py.square", input=i) for i in range(n)])
    return sum(squares)


def call(ctx, asked):
    result = yield ctx.call_activity(asked["activity"], input=asked.get("input"))
    return result


def call_child(ctx, asked):
    result = yield ctx.call_sub_orchestrator(asked["child"], input=asked.get("input"), instance_id=asked.get("instanceId"))
    return result


def timer(ctx, ms):
    begun = ctx.current_utc_datetime
    yield ctx.create_timer(timedelta(milliseconds=ms))
    return ctx.current_utc_datetime - begun >= timedelta(milliseconds=ms)


def wait_for(ctx, event):
    data = yield ctx.wait_for_external_event(event)
    return data


def approval(ctx, asked):
    approved = ctx.wait_for_external_event("approved")
    late = ctx.create_timer(timedelta(milliseconds=asked["timeoutMs"]))
    winner = yield task.when_any([approved, late])
    if winner == late:
        return "timed out"
    late.cancel()
    return approved.get_result()


def late(ctx, asked):
    yield ctx.create_timer(timedelta(milliseconds=asked["waitMs"]))
    data = yield ctx.wait_for_external_event(asked["event"])
    return data


def steps(ctx, _):
    ctx.set_custom_status({"step": 1})
    yield ctx.wait_for_external_event("next")
    ctx.set_custom_status({"step": 2})
    return "done"


def countdown(ctx, state):
    if state["left"] == 0:
        return state["sum"]
    yield ctx.call_activity("py.echo", input=state["left"])
    ctx.continue_as_new({"left": state["left"] - 1, "sum": state["sum"] + state["left"]})


def collect(ctx, state):
    if not state["got"]:
        yield ctx.create_timer(timedelta(seconds=1))
    item = yield ctx.wait_for_external_event("item")
    got = state["got"] + [item]
    if len(got) == state["want"]:
        return got
    ctx.continue_as_new({"want": state["want"], "got": got}, save_events=True)


def retried(ctx, asked):
    result = yield ctx.call_activity(asked["activity"], input=asked.get("input"), retry_policy=retry(asked["attempts"]))
    return result


def retried_child(ctx, asked):
    result = yield ctx.call_sub_orchestrator(asked["child"], input=asked.get("input"), retry_policy=retry(asked["attempts"]))
    return result


def catching(ctx, asked):
    try:
        result = yield ctx.call_activity(asked["activity"], input=asked.get("input"))
        return result
    except task.TaskFailedError as error:
        return {"type": error.details.error_type, "message": error.details.message}


def nest(ctx, asked):
    children = [
        ctx.call_sub_orchestrator(asked["child"], input=asked.get("input"), instance_id=f"{ctx.instance_id}.c{i}")
        for i in range(asked["children"])
    ]
    results = yield task.when_all(children)
    return len(results)


def version(ctx, _):
    return ctx.version


def parent(ctx, _):
    return ctx.parent_instance_id


def sender(ctx, asked):
    ctx.send_event(asked["to"], asked["event"], data=asked["data"])
    return "sent"


def twelve(ctx, _):
    yield ctx.call_activity("py.greet", input="you")
    yield ctx.create_timer(timedelta(milliseconds=100))
    yield ctx.call_sub_orchestrator("py.version")
    return "twelve"


def work(ctx, steps_to_do):
    for step in range(steps_to_do):
        yield ctx.call_activity("py.square", input=step)
    echoes = yield task.when_all([ctx.call_activity("py.echo", input=1), ctx.call_activity("py.echo", input=2)])
    return len(echoes) + steps_to_do


# ---- entities


def entity_in(entity_id):
    return dt_entities.EntityInstanceId.parse(entity_id)


def account(ctx, given):
    state = ctx.get_state()
    match ctx.operation:
        case "add":
            ctx.set_state((state or 0) + given)
            return ctx.get_state()
        case "set":
            ctx.set_state(given)
        case "get":
            return state
        case "delete":
            ctx.set_state(None)
        case "fail":
            ctx.set_state("spoilt")
            raise RuntimeError(given)
        case "tell":
            ctx.signal_entity(entity_in(given["entity"]), given["operation"], given.get("input"))
        case "start":
            return ctx.schedule_new_orchestration(given["orchestrator"], given.get("input"), instance_id=given["instanceId"])
        case other:
            raise ValueError(f"there is no operation {other}")


def log(ctx, entry):
    entries = ctx.get_state() or []
    if ctx.operation == "get":
        return entries
    ctx.set_state(entries + [entry])


def entity_call(ctx, asked):
    result = yield ctx.call_entity(entity_in(asked["entity"]), asked["operation"], asked.get("input"))
    return result


def entity_catch(ctx, asked):
    try:
        result = yield ctx.call_entity(entity_in(asked["entity"]), asked["operation"], asked.get("input"))
        return result
    except Exception as error:
        return {"message": str(error)}


def entity_signals(ctx, asked):
    for given in asked["inputs"]:
        ctx.signal_entity(entity_in(asked["entity"]), asked["operation"], given)
    result = yield ctx.call_entity(entity_in(asked["entity"]), "get")
    return result


def transfer(ctx, asked):
    source, target = entity_in(asked["from"]), entity_in(asked["to"])
    with (yield ctx.lock_entities([source, target])):
        has = yield ctx.call_entity(source, "get")
        other = yield ctx.call_entity(target, "get")
        yield ctx.create_timer(timedelta(milliseconds=asked["pauseMs"]))
        yield ctx.call_entity(source, "set", has - asked["amount"])
        yield ctx.call_entity(target, "set", other + asked["amount"])
    return has


def lock_and_fail(ctx, asked):
    yield ctx.lock_entities([entity_in(each) for each in asked["entities"]])
    raise RuntimeError(asked["message"])


def lock_and_end(ctx, asked):
    yield ctx.lock_entities([entity_in(each) for each in asked["entities"]])
    return True


def lock_and_wait(ctx, asked):
    with (yield ctx.lock_entities([entity_in(each) for each in asked["entities"]])):
        ctx.set_custom_status("locked")
        data = yield ctx.wait_for_external_event(asked["event"])
    return data


ACTIVITIES = {
    "greet": greet, "square": square, "echo": echo, "nothing": nothing, "describe": describe,
    "fail": fail, "flaky": flaky, "tries": tries, "slow": slow,
}  # fmt: skip
ORCHESTRATORS = {
    "chain": chain, "fanOut": fan_out, "call": call, "callChild": call_child, "timer": timer, "waitFor": wait_for,
    "approval": approval, "late": late, "steps": steps, "countdown": countdown, "collect": collect, "retried": retried,
    "retriedChild": retried_child, "catching": catching, "nest": nest, "version": version, "parent": parent,
    "sender": sender, "twelve": twelve, "work": work, "entityCall": entity_call, "entityCatch": entity_catch,
    "entitySignals": entity_signals, "transfer": transfer, "lockAndFail": lock_and_fail, "lockAndEnd": lock_and_end,
    "lockAndWait": lock_and_wait,
}  # fmt: skip
ENTITIES = {"account": account, "log": log}

# ---- what is asked for


def failure_seen(failure):
    if failure is None:
        return None
    return {
        "type": failure.error_type,
        "message": failure.message,
        "stack": failure.stack_trace,
        "inner": failure_seen(failure.inner_failure),
    }


def read(text):
    return None if text is None or text == "" else json.loads(text)


def seen(state):
    if state is None:
        return None
    return {
        "id": state.instance_id,
        "name": state.name,
        "status": state.runtime_status.name,
        "input": read(state.serialized_input),
        "output": read(state.serialized_output),
        "customStatus": read(state.serialized_custom_status),
        "failure": failure_seen(state.failure_details),
    }


def statuses_of(names):
    return None if names is None else [dt_client.OrchestrationStatus[name] for name in names]


def at(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc)


def start_worker(given):
    global worker
    worker = dt_worker.TaskHubGrpcWorker(host_address=address, logger=quiet)
    for prefix, add, programs in (("py.", worker.add_activity, ACTIVITIES), ("py.", worker.add_orchestrator, ORCHESTRATORS)):
        for name, run in programs.items():
            run.__name__ = prefix + name
            add(run)
    for name, run in ENTITIES.items():
        worker.add_entity(run, f"py.{name}")
    worker.configure_scheduled_tasks()
    worker.use_work_item_filters()
    if given.get("version") is not None:
        worker.use_versioning(dt_worker.VersioningOptions(
            version=given["version"],
            match_strategy=dt_worker.VersionMatchStrategy.STRICT,
            failure_strategy=dt_worker.VersionFailureStrategy.REJECT,
        ))  # fmt: skip
    worker.start()


def stop_worker(_):
    if worker is not None:
        worker.stop()


def start(given):
    delay = given.get("delayMs")
    return client.schedule_new_orchestration(
        given["name"],
        input=given.get("input"),
        instance_id=given.get("instanceId"),
        version=given.get("version"),
        tags=given.get("tags"),
        start_at=None if delay is None else datetime.now(timezone.utc) + timedelta(milliseconds=delay),
    )


def query(given):
    states = client.get_all_orchestration_states(dt_client.OrchestrationQuery(
        instance_id_prefix=given["prefix"],
        runtime_status=statuses_of(given.get("statuses")),
        max_instance_count=given["pageSize"],
        fetch_inputs_and_outputs=True,
    ))  # fmt: skip
    return {"found": [seen(state) for state in states], "pages": -(-len(states) // given["pageSize"])}


def list_ids(given):
    found, token = [], None
    while True:
        page = client.list_instance_ids(page_size=given["pageSize"], continuation_token=token)
        found.extend(page.items)
        token = page.continuation_token
        if not token:
            return found


def signal_entity(given):
    delay = given.get("delayMs")
    later = None if delay is None else datetime.now(timezone.utc) + timedelta(milliseconds=delay)
    client.signal_entity(entity_in(given["entity"]), given["operation"], given.get("input"), later)


def entity_seen(entity):
    # The SDK's own way to the name of who has the lock takes it for an entity's id, which it is not.
    return None if entity is None else {"id": str(entity.id), "state": read(entity.get_state()), "lockedBy": entity._locked_by or None}


def query_entities(given):
    found = client.get_all_entities(dt_client.EntityQuery(
        instance_id_starts_with=given["prefix"], include_state=True, page_size=given["pageSize"]
    ))  # fmt: skip
    return {"found": [entity_seen(entity) for entity in found], "pages": -(-len(found) // given["pageSize"])}


# ---- schedules


def schedule(given):
    return dt_scheduled.ScheduledTaskClient(client).get_schedule_client(given["id"])


def schedule_seen(found):
    return None if found is None else {
        "id": found.schedule_id,
        "status": found.status.value,
        "orchestrator": found.orchestration_name,
        "input": found.orchestration_input,
        "seconds": found.interval.total_seconds(),
    }


def create_schedule(given):
    schedule(given).create(dt_scheduled.ScheduleCreationOptions(
        given["id"], given["orchestrator"], timedelta(seconds=given["seconds"]), orchestration_input=given.get("input")
    ))  # fmt: skip


OPERATIONS = {
    "startWorker": start_worker,
    "stopWorker": stop_worker,
    "start": start,
    "get": lambda given: seen(client.get_orchestration_state(given["instanceId"])),
    "waitStart": lambda given: seen(
        client.wait_for_orchestration_start(given["instanceId"], fetch_payloads=True, timeout=given["timeoutMs"] / 1000)
    ),
    "wait": lambda given: seen(client.wait_for_orchestration_completion(given["instanceId"], timeout=given["timeoutMs"] / 1000)),
    "raise": lambda given: client.raise_orchestration_event(given["instanceId"], given["event"], data=given.get("data")),
    "terminate": lambda given: client.terminate_orchestration(
        given["instanceId"], output=given.get("output"), recursive=given["recursive"]
    ),
    "suspend": lambda given: client.suspend_orchestration(given["instanceId"], reason=given.get("reason")),
    "resume": lambda given: client.resume_orchestration(given["instanceId"], reason=given.get("reason")),
    "rewind": lambda given: client.rewind_orchestration(given["instanceId"], reason=given.get("reason")),
    "restart": lambda given: client.restart_orchestration(
        given["instanceId"], restart_with_new_instance_id=given["newId"]
    ),
    "purge": lambda given: client.purge_orchestration(given["instanceId"], given["recursive"]).deleted_instance_count,
    "purgeWhere": lambda given: client.purge_orchestrations_by(
        created_time_from=at(given["createdFrom"]),
        created_time_to=at(given["createdTo"]),
        runtime_status=statuses_of(given["statuses"]),
    ).deleted_instance_count,
    "query": query,
    "listIds": list_ids,
    "history": lambda given: [
        type(event).__name__.removesuffix("Event") for event in client.get_orchestration_history(given["instanceId"])
    ],
    "signalEntity": signal_entity,
    "getEntity": lambda given: entity_seen(client.get_entity(entity_in(given["entity"]))),
    "queryEntities": query_entities,
    "cleanEntities": lambda _: client.clean_entity_storage().empty_entities_removed,
    "createSchedule": create_schedule,
    "updateSchedule": lambda given: schedule(given).update(
        dt_scheduled.ScheduleUpdateOptions(interval=timedelta(seconds=given["seconds"]))
    ),
    "pauseSchedule": lambda given: schedule(given).pause(),
    "resumeSchedule": lambda given: schedule(given).resume(),
    "deleteSchedule": lambda given: schedule(given).delete(),
    "describeSchedule": lambda given: schedule_seen(dt_scheduled.ScheduledTaskClient(client).get_schedule(given["id"])),
    "listSchedules": lambda given: [
        schedule_seen(found)
        for found in dt_scheduled.ScheduledTaskClient(client).list_schedules(
            dt_scheduled.ScheduleQuery(schedule_id_prefix=given["prefix"])
        )
    ],
    "close": lambda _: client.close(),
}

# ---- the lines

answers_lock = threading.Lock()


def answer(line):
    with answers_lock:
        answers.write(json.dumps(line) + "\n")
        answers.flush()


def obey(request):
    try:
        answer({"number": request["number"], "value": OPERATIONS[request["op"]](request["given"])})
    except Exception as error:  # whatever it is, whoever asked has to learn of it
        code = error.code().name if hasattr(error, "code") and callable(error.code) else None
        message = error.details() if hasattr(error, "details") and callable(error.details) else str(error)
        answer({"number": request["number"], "error": {"type": type(error).__name__, "code": code, "message": message}})


answer({"ready": True})
with ThreadPoolExecutor(max_workers=32) as pool:
    for line in sys.stdin:
        pool.submit(obey, json.loads(line))
    os._exit(0)

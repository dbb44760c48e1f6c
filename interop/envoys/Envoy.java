// The envoy of com.microsoft:durabletask-client. Its programs are those that README.md lists, as this SDK has them.
//
//   java -cp <classes> Envoy 127.0.0.1:4001

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.durabletask.DurableTaskClient;
import com.microsoft.durabletask.DurableTaskGrpcClientBuilder;
import com.microsoft.durabletask.DurableTaskGrpcWorker;
import com.microsoft.durabletask.DurableTaskGrpcWorkerBuilder;
import com.microsoft.durabletask.FailureDetails;
import com.microsoft.durabletask.NewOrchestrationInstanceOptions;
import com.microsoft.durabletask.OrchestrationMetadata;
import com.microsoft.durabletask.OrchestrationRuntimeStatus;
import com.microsoft.durabletask.OrchestrationStatusQuery;
import com.microsoft.durabletask.OrchestrationStatusQueryResult;
import com.microsoft.durabletask.PurgeInstanceCriteria;
import com.microsoft.durabletask.RetryPolicy;
import com.microsoft.durabletask.Task;
import com.microsoft.durabletask.TaskActivity;
import com.microsoft.durabletask.TaskActivityFactory;
import com.microsoft.durabletask.TaskFailedException;
import com.microsoft.durabletask.TaskOptions;
import com.microsoft.durabletask.TaskOrchestration;
import com.microsoft.durabletask.TaskOrchestrationContext;
import com.microsoft.durabletask.TaskOrchestrationFactory;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public final class Envoy {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream ANSWERS = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final Map<String, Integer> CALLS = new ConcurrentHashMap<>();
    private static String address;
    private static DurableTaskClient client;
    private static DurableTaskGrpcWorker worker;

    private interface Orchestrator {
        Object run(TaskOrchestrationContext ctx, JsonNode input);
    }

    private interface Activity {
        Object run(JsonNode input) throws Exception;
    }

    private interface Operation {
        Object run(JsonNode given) throws Exception;
    }

    // ---- activities

    private static final Map<String, Activity> ACTIVITIES = new HashMap<>();

    static {
        ACTIVITIES.put("greet", name -> "Hello " + name.asText() + "!");
        ACTIVITIES.put("square", n -> n.asLong() * n.asLong());
        ACTIVITIES.put("echo", value -> value);
        ACTIVITIES.put("nothing", nothing -> null);
        ACTIVITIES.put("describe", order -> {
            ObjectNode described = JSON.createObjectNode();
            described.set("product", order.get("product"));
            described.put("total", order.get("quantity").asDouble() * order.get("price").asDouble());
            described.put("labels", order.get("labels").size());
            described.put("paid", false);
            described.putNull("note");
            return described;
        });
        ACTIVITIES.put("fail", asked -> {
            if (asked.hasNonNull("key")) counted(asked.get("key").asText());
            String message = asked.get("message").asText();
            throw new IllegalStateException(message, new IndexOutOfBoundsException("the cause of " + message));
        });
        ACTIVITIES.put("flaky", asked -> {
            int attempt = counted(asked.get("key").asText());
            if (attempt <= asked.get("failures").asInt()) throw new IllegalStateException("attempt " + attempt + " failed");
            return attempt;
        });
        ACTIVITIES.put("tries", key -> CALLS.getOrDefault(key.asText(), 0));
        ACTIVITIES.put("slow", asked -> {
            Path file = Path.of(asked.get("file").asText());
            long pid = ProcessHandle.current().pid();
            Files.writeString(file, "began " + pid + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            Thread.sleep(asked.get("ms").asLong());
            Files.writeString(file, "ended " + pid + "\n", StandardOpenOption.APPEND);
            return "slept";
        });
    }

    private static int counted(String key) {
        return CALLS.merge(key, 1, Integer::sum);
    }

    // ---- orchestrators

    private static final Map<String, Orchestrator> ORCHESTRATORS = new HashMap<>();

    private static TaskOptions retry(JsonNode asked) {
        return new TaskOptions(new RetryPolicy(asked.get("attempts").asInt(), Duration.ofMillis(100)));
    }

    private static String text(JsonNode node, String field) {
        return node.hasNonNull(field) ? node.get(field).asText() : null;
    }

    static {
        ORCHESTRATORS.put("chain", (ctx, name) -> {
            String first = ctx.callActivity("java.greet", name, String.class).await();
            return List.of(first, ctx.callActivity("java.greet", first, String.class).await());
        });
        ORCHESTRATORS.put("fanOut", (ctx, n) -> {
            List<Task<Long>> squares = new ArrayList<>();
            for (int i = 0; i < n.asInt(); i++) squares.add(ctx.callActivity("java.square", i, Long.class));
            return ctx.allOf(squares).await().stream().mapToLong(Long::longValue).sum();
        });
        ORCHESTRATORS.put("call", (ctx, asked) ->
            ctx.callActivity(asked.get("activity").asText(), asked.get("input"), JsonNode.class).await());
        ORCHESTRATORS.put("callChild", (ctx, asked) ->
            ctx.callSubOrchestrator(asked.get("child").asText(), asked.get("input"), text(asked, "instanceId"), JsonNode.class).await());
        ORCHESTRATORS.put("timer", (ctx, ms) -> {
            Instant begun = ctx.getCurrentInstant();
            ctx.createTimer(Duration.ofMillis(ms.asLong())).await();
            return Duration.between(begun, ctx.getCurrentInstant()).toMillis() >= ms.asLong();
        });
        ORCHESTRATORS.put("waitFor", (ctx, event) -> ctx.waitForExternalEvent(event.asText(), JsonNode.class).await());
        ORCHESTRATORS.put("approval", (ctx, asked) -> {
            Task<JsonNode> approved = ctx.waitForExternalEvent("approved", JsonNode.class);
            Task<Void> late = ctx.createTimer(Duration.ofMillis(asked.get("timeoutMs").asLong()));
            Task<?> winner = ctx.anyOf(approved, late).await();
            return winner == late ? "timed out" : approved.await();
        });
        ORCHESTRATORS.put("late", (ctx, asked) -> {
            ctx.createTimer(Duration.ofMillis(asked.get("waitMs").asLong())).await();
            return ctx.waitForExternalEvent(asked.get("event").asText(), JsonNode.class).await();
        });
        ORCHESTRATORS.put("steps", (ctx, nothing) -> {
            ctx.setCustomStatus(Map.of("step", 1));
            ctx.waitForExternalEvent("next").await();
            ctx.setCustomStatus(Map.of("step", 2));
            return "done";
        });
        ORCHESTRATORS.put("countdown", (ctx, state) -> {
            int left = state.get("left").asInt();
            int sum = state.get("sum").asInt();
            if (left == 0) return sum;
            ctx.callActivity("java.echo", left, JsonNode.class).await();
            ctx.continueAsNew(Map.of("left", left - 1, "sum", sum + left), false);
            return null;
        });
        ORCHESTRATORS.put("collect", (ctx, state) -> {
            ArrayNode got = ((ArrayNode) state.get("got")).deepCopy();
            if (got.isEmpty()) ctx.createTimer(Duration.ofSeconds(1)).await();
            got.add(ctx.waitForExternalEvent("item", JsonNode.class).await());
            if (got.size() == state.get("want").asInt()) return got;
            ctx.continueAsNew(Map.of("want", state.get("want"), "got", got), true);
            return null;
        });
        ORCHESTRATORS.put("retried", (ctx, asked) ->
            ctx.callActivity(asked.get("activity").asText(), asked.get("input"), retry(asked), JsonNode.class).await());
        ORCHESTRATORS.put("retriedChild", (ctx, asked) ->
            ctx.callSubOrchestrator(asked.get("child").asText(), asked.get("input"), null, retry(asked), JsonNode.class).await());
        ORCHESTRATORS.put("catching", (ctx, asked) -> {
            try {
                return ctx.callActivity(asked.get("activity").asText(), asked.get("input"), JsonNode.class).await();
            } catch (TaskFailedException error) {
                FailureDetails details = error.getErrorDetails();
                return Map.of("type", details.getErrorType(), "message", details.getErrorMessage());
            }
        });
        ORCHESTRATORS.put("nest", (ctx, asked) -> {
            List<Task<JsonNode>> children = new ArrayList<>();
            for (int i = 0; i < asked.get("children").asInt(); i++) {
                String id = ctx.getInstanceId() + ".c" + i;
                children.add(ctx.callSubOrchestrator(asked.get("child").asText(), asked.get("input"), id, JsonNode.class));
            }
            return ctx.allOf(children).await().size();
        });
        ORCHESTRATORS.put("version", (ctx, nothing) -> null);
        ORCHESTRATORS.put("sender", (ctx, asked) -> {
            ctx.sendEvent(asked.get("to").asText(), asked.get("event").asText(), asked.get("data"));
            return "sent";
        });
        ORCHESTRATORS.put("twelve", (ctx, nothing) -> {
            ctx.callActivity("java.greet", "you", String.class).await();
            ctx.createTimer(Duration.ofMillis(100)).await();
            ctx.callSubOrchestrator("java.version", null, JsonNode.class).await();
            return "twelve";
        });
        ORCHESTRATORS.put("work", (ctx, steps) -> {
            for (int step = 0; step < steps.asInt(); step++) ctx.callActivity("java.square", step, Long.class).await();
            List<Task<JsonNode>> echoes =
                List.of(ctx.callActivity("java.echo", 1, JsonNode.class), ctx.callActivity("java.echo", 2, JsonNode.class));
            return ctx.allOf(echoes).await().size() + steps.asInt();
        });
    }

    // ---- what is asked for

    private static final Map<String, Operation> OPERATIONS = new HashMap<>();

    static {
        OPERATIONS.put("startWorker", given -> {
            DurableTaskGrpcWorkerBuilder builder = new DurableTaskGrpcWorkerBuilder().grpcChannel(channel());
            ORCHESTRATORS.forEach((name, body) -> builder.addOrchestration(orchestrationOf(name, body)));
            ACTIVITIES.forEach((name, body) -> builder.addActivity(activityOf(name, body)));
            worker = builder.build();
            worker.start();
            return null;
        });
        OPERATIONS.put("stopWorker", given -> {
            if (worker != null) worker.stop();
            return null;
        });
        OPERATIONS.put("start", given -> {
            NewOrchestrationInstanceOptions options = new NewOrchestrationInstanceOptions();
            if (given.has("input")) options.setInput(given.get("input"));
            if (given.has("instanceId")) options.setInstanceId(given.get("instanceId").asText());
            if (given.has("version")) options.setVersion(given.get("version").asText());
            if (given.has("delayMs")) options.setStartTime(Instant.now().plusMillis(given.get("delayMs").asLong()));
            return client.scheduleNewOrchestrationInstance(given.get("name").asText(), options);
        });
        OPERATIONS.put("get", given -> seen(client.getInstanceMetadata(id(given), true)));
        OPERATIONS.put("waitStart", given -> seen(client.waitForInstanceStart(id(given), patience(given), true)));
        OPERATIONS.put("wait", given -> seen(client.waitForInstanceCompletion(id(given), patience(given), true)));
        OPERATIONS.put("raise", given -> {
            client.raiseEvent(id(given), given.get("event").asText(), given.get("data"));
            return null;
        });
        OPERATIONS.put("terminate", given -> {
            client.terminate(id(given), given.get("output"));
            return null;
        });
        OPERATIONS.put("suspend", given -> {
            client.suspendInstance(id(given), text(given, "reason"));
            return null;
        });
        OPERATIONS.put("resume", given -> {
            client.resumeInstance(id(given), text(given, "reason"));
            return null;
        });
        OPERATIONS.put("restart", given -> client.restartInstance(id(given), given.get("newId").asBoolean()));
        OPERATIONS.put("purge", given -> client.purgeInstance(id(given)).getDeletedInstanceCount());
        OPERATIONS.put("purgeWhere", given -> {
            PurgeInstanceCriteria criteria = new PurgeInstanceCriteria()
                .setCreatedTimeFrom(Instant.ofEpochMilli(given.get("createdFrom").asLong()))
                .setCreatedTimeTo(Instant.ofEpochMilli(given.get("createdTo").asLong()))
                .setRuntimeStatusList(statuses(given.get("statuses")));
            return client.purgeInstances(criteria).getDeletedInstanceCount();
        });
        OPERATIONS.put("query", given -> {
            OrchestrationStatusQuery query = new OrchestrationStatusQuery()
                .setInstanceIdPrefix(given.get("prefix").asText())
                .setMaxInstanceCount(given.get("pageSize").asInt())
                .setFetchInputsAndOutputs(true);
            if (given.has("statuses")) query.setRuntimeStatusList(statuses(given.get("statuses")));
            ArrayNode found = JSON.createArrayNode();
            int pages = 0;
            String token = null;
            do {
                OrchestrationStatusQueryResult page = client.queryInstances(query.setContinuationToken(token));
                if (!page.getOrchestrationState().isEmpty()) pages++;
                for (OrchestrationMetadata state : page.getOrchestrationState()) found.add(seen(state));
                token = page.getContinuationToken();
            } while (token != null && !token.isEmpty());
            ObjectNode result = JSON.createObjectNode();
            result.set("found", found);
            result.put("pages", pages);
            return result;
        });
        OPERATIONS.put("close", given -> {
            client.close();
            return null;
        });
    }

    private static TaskOrchestrationFactory orchestrationOf(String name, Orchestrator body) {
        return new TaskOrchestrationFactory() {
            @Override
            public String getName() {
                return "java." + name;
            }

            @Override
            public TaskOrchestration create() {
                return ctx -> {
                    Object output = body.run(ctx, ctx.getInput(JsonNode.class));
                    if (output != null) ctx.complete(output);
                };
            }
        };
    }

    private static TaskActivityFactory activityOf(String name, Activity body) {
        return new TaskActivityFactory() {
            @Override
            public String getName() {
                return "java." + name;
            }

            @Override
            public TaskActivity create() {
                return ctx -> {
                    try {
                        return body.run(ctx.getInput(JsonNode.class));
                    } catch (RuntimeException error) {
                        throw error;
                    } catch (Exception error) {
                        throw new IllegalStateException(error);
                    }
                };
            }
        };
    }

    private static ManagedChannel channel() {
        return ManagedChannelBuilder.forTarget(address).usePlaintext().build();
    }

    private static String id(JsonNode given) {
        return given.get("instanceId").asText();
    }

    private static Duration patience(JsonNode given) {
        return Duration.ofMillis(given.get("timeoutMs").asLong());
    }

    private static List<OrchestrationRuntimeStatus> statuses(JsonNode names) {
        List<OrchestrationRuntimeStatus> statuses = new ArrayList<>();
        names.forEach(name -> statuses.add(OrchestrationRuntimeStatus.valueOf(name.asText())));
        return statuses;
    }

    private static JsonNode read(String text) throws Exception {
        return text == null || text.isEmpty() ? null : JSON.readTree(text);
    }

    private static JsonNode seen(OrchestrationMetadata state) throws Exception {
        if (state == null || !state.isInstanceFound()) return null;
        ObjectNode seen = JSON.createObjectNode();
        seen.put("id", state.getInstanceId());
        seen.put("name", state.getName());
        seen.put("status", state.getRuntimeStatus().name());
        seen.set("input", read(state.getSerializedInput()));
        seen.set("output", read(state.getSerializedOutput()));
        if (state.isCustomStatusFetched()) seen.set("customStatus", state.readCustomStatusAs(JsonNode.class));
        // The client makes empty details where there are none.
        FailureDetails failure = state.getFailureDetails();
        if (failure != null && !failure.getErrorType().isEmpty()) {
            seen.putObject("failure")
                .put("type", failure.getErrorType())
                .put("message", failure.getErrorMessage())
                .put("stack", failure.getStackTrace());
        }
        return seen;
    }

    // ---- the lines

    private static synchronized void answer(ObjectNode line) {
        ANSWERS.println(line.toString());
    }

    private static void obey(JsonNode request) {
        ObjectNode line = JSON.createObjectNode().put("number", request.get("number").asInt());
        try {
            Operation operation = OPERATIONS.get(request.get("op").asText());
            if (operation == null) throw new UnsupportedOperationException(request.get("op").asText());
            line.set("value", JSON.valueToTree(operation.run(request.get("given"))));
        } catch (Throwable error) {
            Status.Code code = error instanceof StatusRuntimeException ? ((StatusRuntimeException) error).getStatus().getCode() : null;
            line.putObject("error")
                .put("type", error.getClass().getSimpleName())
                .put("code", code == null ? null : code.name())
                .put("message", error.getMessage());
        }
        answer(line);
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments[0];
        System.setOut(System.err); // what a library prints must not meet the answers
        client = new DurableTaskGrpcClientBuilder().grpcChannel(channel()).build();
        answer(JSON.createObjectNode().put("ready", true));
        ExecutorService pool = Executors.newFixedThreadPool(32);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode request = JSON.readTree(line);
            pool.submit(() -> obey(request));
        }
        Runtime.getRuntime().halt(0);
    }

    private Envoy() {}
}

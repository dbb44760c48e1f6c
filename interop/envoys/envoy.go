// The envoy of github.com/microsoft/durabletask-go. Its programs are those that README.md lists, as this SDK has them.
//
//	envoy 127.0.0.1:4001
//	envoy serve 4001 hub.db    its own server over an SQLite file
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/microsoft/durabletask-go/api"
	"github.com/microsoft/durabletask-go/backend"
	"github.com/microsoft/durabletask-go/backend/sqlite"
	"github.com/microsoft/durabletask-go/client"
	"github.com/microsoft/durabletask-go/task"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

type values = map[string]any

// ---- activities

var (
	callsLock sync.Mutex
	calls     = map[string]int{}
)

func counted(key string) int {
	callsLock.Lock()
	defer callsLock.Unlock()
	calls[key]++
	return calls[key]
}

type asked struct {
	Activity   string          `json:"activity"`
	Child      string          `json:"child"`
	Children   int             `json:"children"`
	InstanceID string          `json:"instanceId"`
	Input      json.RawMessage `json:"input"`
	Attempts   int             `json:"attempts"`
	Message    string          `json:"message"`
	Key        *string         `json:"key"`
	Failures   int             `json:"failures"`
	File       string          `json:"file"`
	Ms         int             `json:"ms"`
	TimeoutMs  int             `json:"timeoutMs"`
	WaitMs     int             `json:"waitMs"`
	To         string          `json:"to"`
	Event      string          `json:"event"`
}

func appendLine(path, line string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintln(file, line)
	return err
}

var activities = map[string]task.Activity{
	"greet": func(ctx task.ActivityContext) (any, error) {
		var name string
		err := ctx.GetInput(&name)
		return "Hello " + name + "!", err
	},
	"square": func(ctx task.ActivityContext) (any, error) {
		var n int
		err := ctx.GetInput(&n)
		return n * n, err
	},
	"echo": func(ctx task.ActivityContext) (any, error) {
		var value json.RawMessage
		err := ctx.GetInput(&value)
		return value, err
	},
	"nothing": func(ctx task.ActivityContext) (any, error) { return nil, nil },
	"describe": func(ctx task.ActivityContext) (any, error) {
		var order struct {
			Product  string   `json:"product"`
			Quantity float64  `json:"quantity"`
			Price    float64  `json:"price"`
			Labels   []string `json:"labels"`
		}
		err := ctx.GetInput(&order)
		return values{
			"product": order.Product, "total": order.Quantity * order.Price, "labels": len(order.Labels), "paid": false, "note": nil,
		}, err
	},
	"fail": func(ctx task.ActivityContext) (any, error) {
		var given asked
		if err := ctx.GetInput(&given); err != nil {
			return nil, err
		}
		if given.Key != nil {
			counted(*given.Key)
		}
		return nil, fmt.Errorf("%s: %w", given.Message, errors.New("the cause of "+given.Message))
	},
	"flaky": func(ctx task.ActivityContext) (any, error) {
		var given asked
		if err := ctx.GetInput(&given); err != nil {
			return nil, err
		}
		attempt := counted(*given.Key)
		if attempt <= given.Failures {
			return nil, fmt.Errorf("attempt %d failed", attempt)
		}
		return attempt, nil
	},
	"tries": func(ctx task.ActivityContext) (any, error) {
		var key string
		err := ctx.GetInput(&key)
		callsLock.Lock()
		defer callsLock.Unlock()
		return calls[key], err
	},
	"slow": func(ctx task.ActivityContext) (any, error) {
		var given asked
		if err := ctx.GetInput(&given); err != nil {
			return nil, err
		}
		if err := appendLine(given.File, fmt.Sprintf("began %d", os.Getpid())); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(given.Ms) * time.Millisecond)
		return "slept", appendLine(given.File, fmt.Sprintf("ended %d", os.Getpid()))
	},
}

// ---- orchestrators

func callActivity(ctx *task.OrchestrationContext, name string, input any) task.Task {
	if raw, isRaw := input.(json.RawMessage); isRaw && len(raw) == 0 {
		return ctx.CallActivity(name)
	}
	return ctx.CallActivity(name, task.WithActivityInput(input))
}

func callChild(ctx *task.OrchestrationContext, given asked, id string) task.Task {
	if len(given.Input) == 0 {
		return ctx.CallSubOrchestrator(given.Child, task.WithSubOrchestrationInstanceID(id))
	}
	return ctx.CallSubOrchestrator(given.Child, task.WithSubOrchestratorInput(given.Input), task.WithSubOrchestrationInstanceID(id))
}

func retry(given asked) *task.RetryPolicy {
	return &task.RetryPolicy{
		MaxAttempts: given.Attempts, InitialRetryInterval: 100 * time.Millisecond, BackoffCoefficient: 1, MaxRetryInterval: time.Minute,
		RetryTimeout: time.Hour,
	}
}

func outcome(awaited task.Task) (any, error) {
	var result json.RawMessage
	if err := awaited.Await(&result); err != nil {
		return nil, err
	}
	if len(result) == 0 {
		return nil, nil
	}
	return result, nil
}

// An orchestrator whose input is read before it begins.
func with[I any](body func(ctx *task.OrchestrationContext, input I) (any, error)) task.Orchestrator {
	return func(ctx *task.OrchestrationContext) (any, error) {
		var input I
		if err := ctx.GetInput(&input); err != nil {
			return nil, err
		}
		return body(ctx, input)
	}
}

var orchestrators = map[string]task.Orchestrator{
	"chain": with(func(ctx *task.OrchestrationContext, name string) (any, error) {
		var first, second string
		if err := callActivity(ctx, "go.greet", name).Await(&first); err != nil {
			return nil, err
		}
		err := callActivity(ctx, "go.greet", first).Await(&second)
		return []string{first, second}, err
	}),
	"fanOut": with(func(ctx *task.OrchestrationContext, n int) (any, error) {
		squares := make([]task.Task, n)
		for i := range squares {
			squares[i] = callActivity(ctx, "go.square", i)
		}
		sum := 0
		for _, each := range squares {
			var square int
			if err := each.Await(&square); err != nil {
				return nil, err
			}
			sum += square
		}
		return sum, nil
	}),
	"call": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		return outcome(callActivity(ctx, given.Activity, given.Input))
	}),
	"callChild": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		return outcome(callChild(ctx, given, given.InstanceID))
	}),
	"timer": with(func(ctx *task.OrchestrationContext, ms int) (any, error) {
		begun := ctx.CurrentTimeUtc
		err := ctx.CreateTimer(time.Duration(ms) * time.Millisecond).Await(nil)
		return ctx.CurrentTimeUtc.Sub(begun) >= time.Duration(ms)*time.Millisecond, err
	}),
	"waitFor": with(func(ctx *task.OrchestrationContext, event string) (any, error) {
		return outcome(ctx.WaitForSingleEvent(event, -1))
	}),
	"approval": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		approved, err := outcome(ctx.WaitForSingleEvent("approved", time.Duration(given.TimeoutMs)*time.Millisecond))
		if errors.Is(err, task.ErrTaskCanceled) {
			return "timed out", nil
		}
		return approved, err
	}),
	"late": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		if err := ctx.CreateTimer(time.Duration(given.WaitMs) * time.Millisecond).Await(nil); err != nil {
			return nil, err
		}
		return outcome(ctx.WaitForSingleEvent(given.Event, -1))
	}),
	"steps": func(ctx *task.OrchestrationContext) (any, error) {
		ctx.SetCustomStatus(`{"step":1}`)
		if err := ctx.WaitForSingleEvent("next", -1).Await(nil); err != nil {
			return nil, err
		}
		ctx.SetCustomStatus(`{"step":2}`)
		return "done", nil
	},
	"countdown": with(func(ctx *task.OrchestrationContext, state struct {
		Left int `json:"left"`
		Sum  int `json:"sum"`
	}) (any, error) {
		if state.Left == 0 {
			return state.Sum, nil
		}
		if err := callActivity(ctx, "go.echo", state.Left).Await(nil); err != nil {
			return nil, err
		}
		ctx.ContinueAsNew(values{"left": state.Left - 1, "sum": state.Sum + state.Left})
		return nil, nil
	}),
	"collect": with(func(ctx *task.OrchestrationContext, state struct {
		Want int   `json:"want"`
		Got  []any `json:"got"`
	}) (any, error) {
		if len(state.Got) == 0 {
			if err := ctx.CreateTimer(time.Second).Await(nil); err != nil {
				return nil, err
			}
		}
		var item any
		if err := ctx.WaitForSingleEvent("item", -1).Await(&item); err != nil {
			return nil, err
		}
		got := append(state.Got, item)
		if len(got) == state.Want {
			return got, nil
		}
		ctx.ContinueAsNew(values{"want": state.Want, "got": got}, task.WithKeepUnprocessedEvents())
		return nil, nil
	}),
	"retried": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		return outcome(ctx.CallActivity(given.Activity, task.WithActivityInput(given.Input), task.WithActivityRetryPolicy(retry(given))))
	}),
	"retriedChild": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		return outcome(ctx.CallSubOrchestrator(
			given.Child, task.WithSubOrchestratorInput(given.Input), task.WithSubOrchestrationRetryPolicy(retry(given))))
	}),
	"catching": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		result, err := outcome(callActivity(ctx, given.Activity, given.Input))
		if err != nil {
			return values{"type": fmt.Sprintf("%T", err), "message": err.Error()}, nil
		}
		return result, nil
	}),
	"nest": with(func(ctx *task.OrchestrationContext, given asked) (any, error) {
		children := make([]task.Task, given.Children)
		for i := range children {
			children[i] = callChild(ctx, given, fmt.Sprintf("%s.c%d", ctx.ID, i))
		}
		for _, each := range children {
			if err := each.Await(nil); err != nil {
				return nil, err
			}
		}
		return len(children), nil
	}),
	"version": func(ctx *task.OrchestrationContext) (any, error) { return nil, nil },
	"twelve": func(ctx *task.OrchestrationContext) (any, error) {
		if err := callActivity(ctx, "go.greet", "you").Await(nil); err != nil {
			return nil, err
		}
		if err := ctx.CreateTimer(100 * time.Millisecond).Await(nil); err != nil {
			return nil, err
		}
		return "twelve", ctx.CallSubOrchestrator("go.version").Await(nil)
	},
	"work": with(func(ctx *task.OrchestrationContext, steps int) (any, error) {
		for step := 0; step < steps; step++ {
			if err := callActivity(ctx, "go.square", step).Await(nil); err != nil {
				return nil, err
			}
		}
		one, two := callActivity(ctx, "go.echo", 1), callActivity(ctx, "go.echo", 2)
		if err := one.Await(nil); err != nil {
			return nil, err
		}
		return steps + 2, two.Await(nil)
	}),
}

// ---- what is asked for

type request struct {
	Number int    `json:"number"`
	Op     string `json:"op"`
	Given  struct {
		Name       string          `json:"name"`
		Input      json.RawMessage `json:"input"`
		InstanceID string          `json:"instanceId"`
		DelayMs    *int            `json:"delayMs"`
		TimeoutMs  int             `json:"timeoutMs"`
		Event      string          `json:"event"`
		Data       json.RawMessage `json:"data"`
		Output     json.RawMessage `json:"output"`
		Recursive  bool            `json:"recursive"`
		Reason     string          `json:"reason"`
	} `json:"given"`
}

func read(text string) any {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func seen(state *api.OrchestrationMetadata, err error) (any, error) {
	if errors.Is(err, api.ErrInstanceNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	shown := values{
		"id": state.InstanceID, "name": state.Name, "status": strings.TrimPrefix(state.RuntimeStatus.String(), "ORCHESTRATION_STATUS_"),
		"input": read(state.SerializedInput), "output": read(state.SerializedOutput), "customStatus": read(state.SerializedCustomStatus),
	}
	return shown, nil
}

type envoy struct {
	hub         *client.TaskHubGrpcClient
	stopWorking context.CancelFunc
}

func (e *envoy) startWorker() error {
	registry := task.NewTaskRegistry()
	for name, body := range orchestrators {
		if err := registry.AddOrchestratorN("go."+name, body); err != nil {
			return err
		}
	}
	for name, body := range activities {
		if err := registry.AddActivityN("go."+name, body); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stopWorking = stop
	return e.hub.StartWorkItemListener(ctx, registry)
}

func (e *envoy) obey(asked request) (any, error) {
	given := asked.Given
	id := api.InstanceID(given.InstanceID)
	ctx := context.Background()
	if given.TimeoutMs > 0 {
		bounded, cancel := context.WithTimeout(ctx, time.Duration(given.TimeoutMs)*time.Millisecond)
		defer cancel()
		ctx = bounded
	}
	switch asked.Op {
	case "startWorker":
		return nil, e.startWorker()
	case "stopWorker":
		e.stopWorking()
		return nil, nil
	case "start":
		options := []api.NewOrchestrationOptions{}
		if given.InstanceID != "" {
			options = append(options, api.WithInstanceID(id))
		}
		if len(given.Input) > 0 {
			options = append(options, api.WithRawInput(string(given.Input)))
		}
		if given.DelayMs != nil {
			options = append(options, api.WithStartTime(time.Now().Add(time.Duration(*given.DelayMs)*time.Millisecond)))
		}
		return e.hub.ScheduleNewOrchestration(ctx, given.Name, options...)
	case "get":
		return seen(e.hub.FetchOrchestrationMetadata(ctx, id))
	case "waitStart":
		return seen(e.hub.WaitForOrchestrationStart(ctx, id))
	case "wait":
		return seen(e.hub.WaitForOrchestrationCompletion(ctx, id))
	case "raise":
		if len(given.Data) == 0 {
			return nil, e.hub.RaiseEvent(ctx, id, given.Event)
		}
		return nil, e.hub.RaiseEvent(ctx, id, given.Event, api.WithRawEventData(string(given.Data)))
	case "terminate":
		options := []api.TerminateOptions{api.WithRecursiveTerminate(given.Recursive)}
		if len(given.Output) > 0 {
			options = append(options, api.WithRawOutput(string(given.Output)))
		}
		return nil, e.hub.TerminateOrchestration(ctx, id, options...)
	case "suspend":
		return nil, e.hub.SuspendOrchestration(ctx, id, given.Reason)
	case "resume":
		return nil, e.hub.ResumeOrchestration(ctx, id, given.Reason)
	case "purge":
		// The client tells no number, only that there was something.
		return 1, e.hub.PurgeOrchestrationState(ctx, id, api.WithRecursivePurge(given.Recursive))
	case "close":
		return nil, nil
	}
	return nil, fmt.Errorf("this client has no %s", asked.Op)
}

// ---- the lines

func main() {
	log.SetOutput(os.Stderr)
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
		return
	}
	connection, err := grpc.Dial(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	e := &envoy{hub: client.NewTaskHubGrpcClient(connection, backend.DefaultLogger())}
	var lock sync.Mutex
	answer := func(line values) {
		text, err := json.Marshal(line)
		if err != nil {
			text, _ = json.Marshal(values{"number": line["number"], "error": values{"type": "Unreadable", "message": err.Error()}})
		}
		lock.Lock()
		defer lock.Unlock()
		fmt.Println(string(text))
	}
	answer(values{"ready": true})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16*1024*1024)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		go func() {
			value, err := e.obey(asked)
			if err != nil {
				answer(values{"number": asked.Number, "error": values{"type": fmt.Sprintf("%T", err), "message": err.Error()}})
				return
			}
			answer(values{"number": asked.Number, "value": value})
		}()
	}
}

// The backend of the SDK over an SQLite file, on the loopback address.
func serve(port, file string) {
	server := grpc.NewServer()
	logger := backend.DefaultLogger()
	store := sqlite.NewSqliteBackend(sqlite.NewSqliteOptions(file), logger)
	executor, register := backend.NewGrpcExecutor(store, logger)
	register(server)
	// Its own program runs one of each at a time.
	parallel := backend.WithMaxParallelism(100)
	hub := backend.NewTaskHubWorker(
		store,
		backend.NewOrchestrationWorker(store, executor, logger, parallel),
		backend.NewActivityTaskWorker(store, executor, logger, parallel),
		logger)
	if err := hub.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := server.Serve(listener); err != nil {
			log.Fatal(err)
		}
	}()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

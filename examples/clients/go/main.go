// Judgelot has a finished lot judged, and a workflow look into it if it is not normal. It may be run again after a crash.
//
//	go generate . && go run . JUDGMENT_ENDPOINT WORKFLOW_ENDPOINT LOT DEFECT_RATE TEMPERATURE PRODUCT
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	judgment "millwright.example/judgelot/contract/millwright/judgment/v1"
	workflow "millwright.example/judgelot/contract/millwright/workflow/v1"
)

const (
	ruleset   = "rulesets/quality.weld"
	grading   = "workflows/quality.grade-lot"
	inspected = 400
	retries   = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.2s",
		"maxBackoff": "5s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}}]}`
)

var namespace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("lots.plant.example"))

func main() {
	log.SetFlags(0)
	if len(os.Args) != 7 {
		log.Fatal("usage: judgelot JUDGMENT_ENDPOINT WORKFLOW_ENDPOINT LOT DEFECT_RATE TEMPERATURE PRODUCT")
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("MILLWRIGHT_TOKEN"))
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		log.Fatal("refused: ", reason(err))
	}
}

// run judges the lot, and follows it up if need be.
func run(ctx context.Context, judging, working, lot string, measured []string) error {
	defectRate, err := strconv.ParseFloat(measured[0], 64)
	if err != nil {
		return err
	}
	temperature, err := strconv.ParseFloat(measured[1], 64)
	if err != nil {
		return err
	}
	judged, err := judge(ctx, judging, lot, defectRate, temperature, measured[2])
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s, by rule %s: %s\n", lot, judged.Outcome, judged.WinningRule, judged.Explanations["en"])
	if judged.Outcome == "normal" {
		return nil
	}
	connection, err := connect(working)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := workflow.NewInstanceServiceClient(connection)
	name, err := start(ctx, client, lot, defectRate)
	if err != nil {
		return err
	}
	err = watch(ctx, client, name, func(event *workflow.InstanceEvent) {
		line := fmt.Sprintf("%d %s %s", event.Sequence, strings.TrimPrefix(event.Kind.String(), "KIND_"), event.Task)
		fmt.Println(strings.TrimSpace(line))
	})
	if err != nil {
		return err
	}
	got, err := client.GetInstance(ctx, &workflow.GetInstanceRequest{Name: name})
	if err != nil {
		return err
	}
	text, err := got.Instance.Output.MarshalJSON()
	fmt.Println(string(text))
	return err
}

// connect opens a channel. In plaintext it is for this machine; to another one, use credentials.NewTLS.
func connect(endpoint string) (*grpc.ClientConn, error) {
	return grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(retries))
}

// judge has a lot judged. The same lot again gives the first answer again.
func judge(
	ctx context.Context, endpoint, lot string, defectRate, temperature float64, product string,
) (*judgment.Judgment, error) {
	connection, err := connect(endpoint)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := judgment.NewJudgmentServiceClient(connection).Judge(ctx, &judgment.JudgeRequest{
		Ruleset: ruleset,
		Input: &judgment.Input{Values: map[string]*judgment.Value{
			"defect_rate": {Kind: &judgment.Value_Number{Number: defectRate}},
			"temperature": {Kind: &judgment.Value_Number{Number: temperature}},
			"product":     {Kind: &judgment.Value_Text{Text: product}},
		}},
		Segment:        &judgment.Segment{Product: product, Unit: lot},
		IdempotencyKey: lot,
	})
	if err != nil {
		return nil, err
	}
	return answer.Execution.Judgment, nil
}

// start starts the workflow for a lot, once however often it is called, and returns the instance's name.
func start(ctx context.Context, client workflow.InstanceServiceClient, lot string, defectRate float64) (string, error) {
	input, err := structpb.NewValue(map[string]any{
		"lot": lot, "inspected": inspected, "defective": inspected * defectRate,
	})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := client.StartInstance(ctx, &workflow.StartInstanceRequest{
		Workflow: grading, Input: input, RequestId: uuid.NewSHA1(namespace, []byte(lot)).String(),
	})
	if err != nil {
		return "", err
	}
	return answer.Instance.Name, nil
}

// watch tells each event of an instance once, up to its end, over as many streams as that takes.
func watch(
	ctx context.Context, client workflow.InstanceServiceClient, name string, tell func(*workflow.InstanceEvent),
) error {
	sequence := int64(0)
	for {
		hasEnded, err := watchOnce(ctx, client, name, &sequence, tell)
		if hasEnded || (err != nil && !errors.Is(err, io.EOF) && status.Code(err) != codes.Unavailable) {
			return err
		}
	}
}

func watchOnce(
	ctx context.Context, client workflow.InstanceServiceClient, name string, sequence *int64,
	tell func(*workflow.InstanceEvent),
) (hasEnded bool, err error) {
	stream, err := client.WatchInstance(ctx, &workflow.WatchInstanceRequest{Name: name, FromSequence: sequence})
	if err != nil {
		return false, err
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return false, err
		}
		*sequence = message.Sequence
		event := message.GetEvent()
		if event == nil {
			continue
		}
		tell(event)
		switch event.Kind {
		case workflow.InstanceEvent_KIND_COMPLETED, workflow.InstanceEvent_KIND_FAULTED,
			workflow.InstanceEvent_KIND_CANCELLED:
			return true, nil
		}
	}
}

// reason says why a call was refused: the reason, and what it is about.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return fmt.Sprintf("%s %v", info.Reason, info.Metadata)
		}
	}
	return err.Error()
}

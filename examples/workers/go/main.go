// Inspector is a worker of Millwright's workflows in Go: it takes tasks from a queue, one at a time, looks at each part
// of a lot, and saves how far it is, so that a successor goes on where it stopped.
//
//	go generate . && go build . && MILLWRIGHT_TOKEN=… ./inspector localhost:50051 inspect
//
// It is small on purpose: what it does about the protocol is all there is to do.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	pb "millwright.example/inspector/contract/millwright/workflow/v1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: inspector ENDPOINT QUEUE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	host, _ := os.Hostname()
	name := fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())

	// What is in plaintext here goes to this machine; to another one, use credentials.NewTLS.
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := pb.NewWorkerServiceClient(connection)
	for ctx.Err() == nil { // a stream ends when its replica does; the next one finds another
		if err := work(ctx, client, name, os.Args[2]); err != nil && ctx.Err() == nil {
			log.Printf("connecting again: %v", err)
			time.Sleep(time.Second)
		}
	}
}

// work takes tasks over one stream until it ends. A task that is under way then is left to lapse; its state is saved.
func work(ctx context.Context, client pb.WorkerServiceClient, name, queue string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("MILLWRIGHT_TOKEN"))
	opened, err := client.StreamWork(ctx)
	if err != nil {
		return err
	}
	stream := &sender{stream: opened}
	stream.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Open{
		Open: &pb.OpenWork{Worker: name, Queues: []string{queue}},
	}})
	stream.credit()

	stopping := map[string]context.CancelFunc{}
	for {
		message, err := opened.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch message := message.Message.(type) {
		case *pb.StreamWorkResponse_Item:
			stream.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Acknowledge{Acknowledge: message.Item.Id}})
			wanted, unwanted := context.WithCancel(ctx)
			stopping[message.Item.Id] = unwanted
			go handle(wanted, stream, message.Item)
		case *pb.StreamWorkResponse_Settled:
			letGo(stopping, message.Settled.Id)
			stream.credit()
		case *pb.StreamWorkResponse_Stop:
			log.Printf("%s: %s", message.Stop.Id, message.Stop.Reason)
			letGo(stopping, message.Stop.Id)
			stream.credit()
		}
	}
}

// handle does the work of one task and reports on it, unless nobody wants it any more.
func handle(wanted context.Context, stream *sender, item *pb.WorkItem) {
	ended := make(chan struct{})
	defer close(ended)
	go beat(wanted, ended, stream, item)

	parts := int(item.Input.GetStructValue().GetFields()["parts"].GetNumberValue())
	if parts < 1 {
		stream.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Fail{Fail: &pb.FailWork{
			Id:    item.Id,
			Error: &pb.WorkError{Status: 400, Title: "No lot", Detail: "The input says nothing of parts."},
		}}})
		return
	}
	begin := 0
	if len(item.State) == 8 { // what an earlier attempt has done need not be done again
		begin = int(binary.BigEndian.Uint64(item.State))
	}
	for part := begin; part < parts; part++ {
		select {
		case <-wanted.Done():
			return
		case <-time.After(20 * time.Millisecond): // this is where a camera would look at it
		}
		percent := 100 * float64(part+1) / float64(parts)
		stream.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Heartbeat{Heartbeat: &pb.HeartbeatWork{
			Id: item.Id, State: binary.BigEndian.AppendUint64(nil, uint64(part+1)), Percent: &percent,
		}}})
	}
	output, _ := structpb.NewValue(map[string]any{"inspected": parts, "begin": begin, "attempt": item.Attempt})
	stream.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Complete{
		Complete: &pb.CompleteWork{Id: item.Id, Output: output},
	}})
}

// beat gives a sign of life three times a timeout, however long one part takes.
func beat(wanted context.Context, ended <-chan struct{}, stream *sender, item *pb.WorkItem) {
	ticker := time.NewTicker(item.HeartbeatTimeout.AsDuration() / 3)
	defer ticker.Stop()
	for {
		select {
		case <-wanted.Done():
			return
		case <-ended:
			return
		case <-ticker.C:
			stream.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Heartbeat{
				Heartbeat: &pb.HeartbeatWork{Id: item.Id},
			}})
		}
	}
}

func letGo(stopping map[string]context.CancelFunc, id string) {
	if unwanted, ok := stopping[id]; ok {
		unwanted()
		delete(stopping, id)
	}
}

// sender lets many goroutines send on one stream, which gRPC does not.
type sender struct {
	mutex  sync.Mutex
	stream grpc.BidiStreamingClient[pb.StreamWorkRequest, pb.StreamWorkResponse]
}

// send sends a message. That a stream is broken shows where it is read.
func (s *sender) send(message *pb.StreamWorkRequest) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_ = s.stream.Send(message)
}

func (s *sender) credit() {
	s.send(&pb.StreamWorkRequest{Message: &pb.StreamWorkRequest_Credit{Credit: 1}})
}

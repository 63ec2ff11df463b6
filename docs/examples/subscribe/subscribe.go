// A subscriber in Go: follow the public topics from another system; no event is lost, a repeat is known by its id.
//
//	go run . BOOTSTRAP GROUP [TOPIC ...]
//
// Prints a line of JSON for each record. Put your own work in the place of handle. Stop it whenever you like, with
// kill -9 too: it goes on from what the group committed. docs/guides/subscribe.md explains every setting.
//
// Environment: SCHEMAS (a folder of the events' JSON Schemas), SINCE (RFC 3339: begin there whatever was committed),
// KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_CA_FILE (SASL_SSL with SCRAM-SHA-512), SESSION_TIMEOUT_MS.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var public = []string{"process.completed", "webhook.events", "document.events"}

// Line is what is printed of a record. Problem says why its event is not to be handled.
type Line struct {
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Problem   string          `json:"problem,omitempty"`
	Event     json.RawMessage `json:"event,omitempty"`
}

// Schemas by $id, which a record names in its header ce_dataschema.
type Schemas map[string]*jsonschema.Schema

func loadSchemas(folder string) (Schemas, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	found := Schemas{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		id, _ := schema.(map[string]any)["$id"].(string)
		if err := compiler.AddResource(id, schema); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if found[id], err = compiler.Compile(id); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return found, nil
}

func (known Schemas) read(record *kgo.Record) Line {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	line := Line{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
	line.ID, line.Type = headers["ce_id"], headers["ce_type"]
	event, err := jsonschema.UnmarshalJSON(bytes.NewReader(record.Value))
	if err != nil {
		line.Problem = "unreadable"
		return line
	}
	line.Event = record.Value
	schema, there := known[headers["ce_dataschema"]]
	if !there {
		// A type of event, or a major version, that is newer than this program.
		line.Problem = "unknown"
	} else if err := schema.Validate(event); err != nil {
		line.Problem = "invalid: " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	return line
}

// Your work. It must bear to be done twice: keep ID in your database, in the transaction of what you change.
// What has a Problem is set aside, not waited for: the records behind it are good.
func handle(line Line) error {
	return json.NewEncoder(os.Stdout).Encode(line)
}

func options(bootstrap, group string, topics []string) ([]kgo.Opt, error) {
	milliseconds := 45000
	if given := os.Getenv("SESSION_TIMEOUT_MS"); given != "" {
		var err error
		if milliseconds, err = strconv.Atoi(given); err != nil {
			return nil, err
		}
	}
	session := time.Duration(milliseconds) * time.Millisecond
	found := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // What was polled is committed before its partition goes to another member.
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)), // A wrong password is tried again, and said here.
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(session / 5),
	}
	if text := os.Getenv("SINCE"); text != "" {
		since, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, err
		}
		// Replay: of each partition the first record that is not older than SINCE.
		found = append(found, kgo.AdjustFetchOffsetsFn(
			func(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
				for _, partitions := range offsets {
					for partition := range partitions {
						partitions[partition] = kgo.NewOffset().AfterMilli(since.UnixMilli())
					}
				}
				return offsets, nil
			}))
	}
	if user := os.Getenv("KAFKA_USERNAME"); user != "" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if name := os.Getenv("KAFKA_CA_FILE"); name != "" {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(text) {
				return nil, errors.New("KAFKA_CA_FILE has no certificate")
			}
		}
		login := scram.Auth{User: user, Pass: os.Getenv("KAFKA_PASSWORD")}
		found = append(found, kgo.DialTLSConfig(config), kgo.SASL(login.AsSha512Mechanism()))
	}
	return found, nil
}

func run(ctx context.Context, client *kgo.Client, known Schemas) error {
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, fault := range fetches.Errors() {
			return fmt.Errorf("%s/%d: %w", fault.Topic, fault.Partition, fault.Err)
		}
		for _, record := range fetches.Records() {
			if err := handle(known.read(record)); err != nil {
				return err
			}
		}
		// After the work, and for the whole batch: a crash in between repeats it, and loses nothing.
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			return err
		}
		client.AllowRebalance()
	}
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: subscribe BOOTSTRAP GROUP [TOPIC ...]")
	}
	topics := os.Args[3:]
	if len(topics) == 0 {
		topics = public
	}
	folder := os.Getenv("SCHEMAS")
	if folder == "" {
		folder = "../../events"
	}
	known, err := loadSchemas(folder)
	if err != nil {
		log.Fatal(err)
	}
	chosen, err := options(os.Args[1], os.Args[2], topics)
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(chosen...)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = run(ctx, client, known)
	client.AllowRebalance()
	client.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// Yaml says how kubectl reads a file: the documents that reach the API server, or the error.
//
//	yaml < questions > answers
//
// A question is a line with a JSON string, the file's text. Its answer is a line with a JSON list:
// what was said over several readings, each {"documents": […]} or {"error": "…"}. There is more than
// one where Go's maps decide, which have no order.
//
// The path is that of `kubectl apply -f` and of its server-side kin (k8s.io/cli-runtime,
// pkg/resource/visitor.go): k8s.io/apimachinery's YAMLOrJSONDecoder cuts the stream into documents,
// each of which sigs.k8s.io/yaml turns into JSON, not strictly. Empty documents are passed over.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
)

// readings is how often a question is asked: enough to see every order of two colliding keys.
const readings = 12

type answer struct {
	Documents *[]json.RawMessage `json:"documents,omitempty"`
	Error     string             `json:"error,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "yaml:", err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer) error {
	questions := json.NewDecoder(in)
	answers := bufio.NewWriter(out)
	for {
		var text string
		if err := questions.Decode(&text); errors.Is(err, io.EOF) {
			return answers.Flush()
		} else if err != nil {
			return err
		}
		line, err := ask(text)
		if err != nil {
			return err
		}
		if _, err := answers.Write(append(line, '\n')); err != nil {
			return err
		}
	}
}

func ask(text string) ([]byte, error) {
	seen := map[string]bool{}
	said := []json.RawMessage{}
	for range readings {
		one, err := json.Marshal(read(text))
		if err != nil {
			return nil, err
		}
		if !seen[string(one)] {
			seen[string(one)] = true
			said = append(said, one)
		}
	}
	return json.Marshal(said)
}

// read follows FileVisitor and StreamVisitor.
func read(text string) (said answer) {
	defer func() {
		if crash := recover(); crash != nil {
			said = answer{Error: fmt.Sprint("crashes: ", crash)}
		}
	}()
	documents := []json.RawMessage{}
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := runtime.RawExtension{}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return answer{Documents: &documents}
		} else if err != nil {
			return answer{Error: err.Error()}
		}
		raw := bytes.TrimSpace(object.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		raw, err := plain(raw)
		if err != nil {
			return answer{Error: err.Error()}
		}
		documents = append(documents, raw)
	}
}

// plain is the JSON that its next reader takes this for (Kubernetes' own decoder of objects), numbers
// as they are written.
func plain(raw []byte) ([]byte, error) {
	var value interface{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &value); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// Manifest-schemas writes the JSON Schemas that kubeconform judges our manifests by.
//
//	pinned Go modules -> OpenAPI definitions or CRDs -> strict JSON Schemas
//
// The sources are files inside published Go modules, so the Go module proxy serves them and their
// checksums pin them; only NACK's CRDs stand here, in our own words (tests/conformance/crds). Four things differ from the sources, each to make the judge stricter:
//   - an object with fields refuses others, where the source leaves it open;
//   - fields that only the API server writes (status, uid, managedFields, ...) are left out, because
//     a composed manifest must not carry them;
//   - null is never a value;
//   - the manifest within a provider-kubernetes Object is judged by its own kind's schema.
//
// Descriptions, defaults and x-kubernetes extensions (CEL rules among them) are dropped: kubeconform
// does not read them. Upstream's OpenAPI has no enums for core types, so neither have these schemas.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// module is a pinned Go module; sum is its go.sum hash, checked after the download.
type module struct{ path, version, sum string }

var (
	kubernetes = module{"k8s.io/kubernetes", "v1.34.4", "h1:Yy6R4QB8C9kJPp25GFqEvX5XQwY5qzKeqD0Xx6oAcmk="}
	keda       = module{"github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps="}
	provider   = module{"github.com/crossplane-contrib/provider-kubernetes", "v0.17.1", "h1:0MUaOUljcjksqHcWEz1frzE7dIPaIFJwka1F0npZQLo="}
)

// here holds the CRDs of sources without a module, beside this module's directory.
const here = "../../tests/conformance/crds"

// source says where one output file's schema comes from. For a CRD, version picks one of its
// versions; otherwise definition names an OpenAPI definition.
type source struct {
	kind                string
	output              string
	module              module
	file                string
	definition, version string
}

const openAPI = "api/openapi-spec/swagger.json"

var sources = []source{
	{kind: "Deployment", output: "deployment-apps-v1.json", module: kubernetes, file: openAPI, definition: "io.k8s.api.apps.v1.Deployment"},
	{kind: "Service", output: "service-v1.json", module: kubernetes, file: openAPI, definition: "io.k8s.api.core.v1.Service"},
	{kind: "ServiceAccount", output: "serviceaccount-v1.json", module: kubernetes, file: openAPI, definition: "io.k8s.api.core.v1.ServiceAccount"},
	{kind: "PodDisruptionBudget", output: "poddisruptionbudget-policy-v1.json", module: kubernetes, file: openAPI, definition: "io.k8s.api.policy.v1.PodDisruptionBudget"},
	{kind: "ScaledObject", output: "scaledobject-keda-v1alpha1.json", module: keda, file: "config/crd/bases/keda.sh_scaledobjects.yaml", version: "v1alpha1"},
	{kind: "Consumer", output: "consumer-jetstream-v1beta2.json", file: "jetstream.nats.io_consumers.yaml", version: "v1beta2"},
	{kind: "Stream", output: "stream-jetstream-v1beta2.json", file: "jetstream.nats.io_streams.yaml", version: "v1beta2"},
	{kind: "Object", output: "object-kubernetes-v1alpha2.json", module: provider, file: "package/crds/kubernetes.crossplane.io_objects.yaml", version: "v1alpha2"},
}

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// quantity is the API server's grammar for resource quantities; OpenAPI calls them plain strings.
const quantity = `^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$`

// serverWritten are the fields of ObjectMeta that only the API server sets.
var serverWritten = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
	"generation", "managedFields", "resourceVersion", "selfLink", "uid"}

type schema = map[string]any

func main() {
	out := flag.String("out", "", "directory of the schemas, in kubeconform's layout")
	check := flag.Bool("check", false, "write nothing; exit 1 if a committed schema differs")
	crds := flag.String("crds", "", "also copy the CRDs among the sources into this directory, as published")
	flag.Parse()
	differs, err := run(*out, *check)
	if err == nil && *crds != "" {
		err = copyCRDs(*crds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifest-schemas:", err)
		os.Exit(2)
	}
	if differs {
		os.Exit(1)
	}
}

func run(out string, check bool) (differs bool, err error) {
	if out == "" {
		return false, errors.New("-out is required")
	}
	dir := filepath.Join(out, kubernetes.version+"-standalone-strict")
	definitions, err := loadOpenAPI()
	if err != nil {
		return false, err
	}
	for _, s := range sources {
		doc, err := s.standalone(definitions)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.output, err)
		}
		path := filepath.Join(dir, s.output)
		if !check {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return false, err
			}
			if err := os.WriteFile(path, doc, 0o644); err != nil {
				return false, err
			}
			continue
		}
		committed, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(committed, doc) {
			differs = true
			fmt.Fprintf(os.Stderr, "manifest-schemas: %s is not what %s says; run `make generate`\n", path, s.module.name())
		}
	}
	return differs, nil
}

func copyCRDs(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range sources {
		if s.version == "" {
			continue
		}
		raw, err := s.module.read(s.file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(s.file)), raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// name says where a source comes from.
func (m module) name() string {
	if m.path == "" {
		return "tests/conformance/crds"
	}
	return m.path + "@" + m.version
}

// read returns a file of the module, after `go mod download` has put it into the module cache.
func (m module) read(file string) ([]byte, error) {
	if m.path == "" {
		return os.ReadFile(filepath.Join(here, file))
	}
	cmd := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download %s@%s: %w: %s", m.path, m.version, err, stdout)
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal(stdout, &got); err != nil {
		return nil, err
	}
	if got.Sum != m.sum {
		return nil, fmt.Errorf("%s@%s has checksum %s, pinned is %s", m.path, m.version, got.Sum, m.sum)
	}
	return os.ReadFile(filepath.Join(got.Dir, file))
}

func loadOpenAPI() (schema, error) {
	raw, err := kubernetes.read(openAPI)
	if err != nil {
		return nil, err
	}
	var doc struct{ Definitions schema }
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", openAPI, err)
	}
	return doc.Definitions, nil
}

// standalone returns one file's schema: the definitions it needs stand in its "definitions". Only the
// Object's refers to other files, its siblings.
func (s source) standalone(openAPI schema) ([]byte, error) {
	g := generator{openAPI: openAPI, needed: schema{}}
	var root any = openAPI[s.definition]
	if s.version != "" {
		var err error
		if root, err = s.crdVersion(); err != nil {
			return nil, err
		}
	}
	top, ok := g.strict(without(root, "status")).(schema)
	if !ok {
		return nil, errors.New("the source has no such schema")
	}
	properties, ok := top["properties"].(schema)
	if !ok {
		return nil, errors.New("the source schema has no properties")
	}
	if s.version != "" {
		// A CRD says only `type: object`; the API server applies ObjectMeta itself.
		properties["metadata"] = g.reference(objectMeta)
	}
	top["required"] = []string{"apiVersion", "kind", "metadata", "spec"}
	if _, hasSpec := properties["spec"]; !hasSpec {
		top["required"] = []string{"apiVersion", "kind", "metadata"}
	}
	top["$schema"] = "http://json-schema.org/draft-07/schema#"
	top["definitions"] = g.needed
	top["$comment"] = "Generated from " + s.module.name() + ", " + s.file + ". Do not edit; run `make generate`."
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(top)
	return buffer.Bytes(), err
}

// embedded is the schema of a manifest within an Object: one of the others, judged as strictly as if
// it stood alone. A kind that is none of them is refused.
func embedded() schema {
	var kinds, rules []any
	for _, s := range sources {
		if s.kind == "Object" {
			continue
		}
		kinds = append(kinds, s.kind)
		rules = append(rules, schema{
			"if":   schema{"properties": schema{"kind": schema{"const": s.kind}}},
			"then": schema{"$ref": s.output},
		})
	}
	return schema{
		"type":       "object",
		"required":   []string{"apiVersion", "kind"},
		"properties": schema{"kind": schema{"enum": kinds}},
		"allOf":      rules,
	}
}

func (s source) crdVersion() (any, error) {
	raw, err := s.module.read(s.file)
	if err != nil {
		return nil, err
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(raw, &crd); err != nil {
		return nil, fmt.Errorf("%s: %w", s.file, err)
	}
	for _, v := range crd.Spec.Versions {
		if v.Name == s.version {
			return v.Schema.OpenAPIV3Schema, nil
		}
	}
	return nil, fmt.Errorf("%s has no version %s", s.file, s.version)
}

// generator collects the definitions that a schema reaches.
type generator struct {
	openAPI schema
	needed  schema
}

// reference returns a $ref to a definition, and adds the definition the first time it is asked for.
func (g generator) reference(name string) schema {
	if _, done := g.needed[name]; !done {
		g.needed[name] = schema{} // Stands in while the definition refers to itself.
		definition := g.openAPI[name]
		switch {
		case strings.HasSuffix(name, ".resource.Quantity"):
			definition = schema{"oneOf": []any{schema{"type": "number"}, schema{"type": "string", "pattern": quantity}}}
		case name == objectMeta:
			definition = without(definition, serverWritten...)
		}
		g.needed[name] = g.strict(definition)
	}
	return schema{"$ref": "#/definitions/" + name}
}

// without returns the schema node less some of its properties.
func without(node any, fields ...string) any {
	source, ok := node.(schema)
	if !ok {
		return node
	}
	result := maps.Clone(source)
	if properties, ok := source["properties"].(schema); ok {
		properties = maps.Clone(properties)
		for _, field := range fields {
			delete(properties, field)
		}
		result["properties"] = properties
	}
	return result
}

// strict rewrites one OpenAPI schema node as JSON Schema.
func (g generator) strict(node any) any {
	source, ok := node.(schema)
	if !ok {
		return node
	}
	if reference, ok := source["$ref"].(string); ok {
		return g.reference(strings.TrimPrefix(reference, "#/definitions/"))
	}
	if source["format"] == "int-or-string" || source["x-kubernetes-int-or-string"] == true {
		return schema{"type": []string{"integer", "string"}}
	}
	result := schema{}
	for key, value := range source {
		switch key {
		case "type", "enum", "required", "pattern", "minimum", "maximum", "minLength", "maxLength",
			"minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems":
			result[key] = value
		case "format":
			if value == "date-time" {
				result[key] = value
			}
		case "properties":
			properties := schema{}
			for name, property := range value.(schema) {
				properties[name] = g.strict(property)
			}
			result[key] = properties
		case "items", "additionalProperties", "not":
			result[key] = g.strict(value)
		case "allOf", "anyOf", "oneOf":
			var all []any
			for _, one := range value.([]any) {
				all = append(all, g.strict(one))
			}
			result[key] = all
		}
	}
	open := source["x-kubernetes-preserve-unknown-fields"] == true
	_, hasFields := result["properties"]
	_, hasMore := result["additionalProperties"]
	if hasFields && !hasMore && !open {
		result["additionalProperties"] = false
	}
	if source["x-kubernetes-embedded-resource"] == true {
		return embedded()
	}
	return result
}

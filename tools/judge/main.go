// Judge says what the API server says to claims. Without -server it is the same code that runs there,
// without a server: it follows the path of a create request with field validation Strict, which is
// what kubectl asks for: decoding, defaults, pruning, metadata, schema, CEL rules, then the
// validations of ValidatingAdmissionPolicies. With -server it asks a kube-apiserver, by dry runs.
//
//	judge -crds CRDS.yaml -policies POLICIES.yaml < files
//	judge -server https://HOST:PORT -ca FILE -refused CLAIM -crds … -policies … < files
//
// The server's bearer token is in the environment variable JUDGE_TOKEN; -refused names a claim that
// only the policies refuse, by which it is seen that they are in force.
// CRDS.yaml is what `crossplane xrd convert` prints. Each line of standard input names a file; the
// answer is one JSON line for each of its documents: {file, document, kind, accepted, errors}.
// Documents of kinds that no CRD defines have no verdict.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	admissionv1 "k8s.io/api/admission/v1"
	policyv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	File     string   `json:"file"`
	Document int      `json:"document"`
	Kind     string   `json:"kind"`
	Accepted bool     `json:"accepted"`
	Errors   []string `json:"errors,omitempty"`
}

type judge struct {
	kind       schema.GroupVersionKind
	structural *structuralschema.Structural
	strategy   rest.RESTCreateStrategy
	namespaced bool
	policies   cel.ConditionEvaluator
	messages   []string
}

// bench is the server's code, of each kind.
type bench []*judge

func main() {
	crds := flag.String("crds", "", "file with CRDs")
	policies := flag.String("policies", "", "file with ValidatingAdmissionPolicies")
	address := flag.String("server", "", "URL of a kube-apiserver to ask")
	ca := flag.String("ca", "", "file with the server's certificates")
	refused := flag.String("refused", "", "file with a claim that only the policies refuse")
	flag.Parse()
	if err := run(*crds, *policies, *address, *ca, *refused); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(2)
	}
}

// court decides about one object.
type court interface {
	try(body []byte, v *verdict) error
}

func run(crds, policies, address, ca, refused string) error {
	var c court
	var err error
	if address == "" {
		c, err = load(crds, policies)
	} else {
		c, err = newServer(address, os.Getenv("JUDGE_TOKEN"), ca, crds, policies, refused)
	}
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		verdicts, err := file(c, lines.Text())
		if err != nil {
			return err
		}
		for _, v := range verdicts {
			if err := out.Encode(v); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

func load(crdFile, policyFile string) (bench, error) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	text, err := os.ReadFile(crdFile)
	if err != nil {
		return nil, err
	}
	conditions, messages, err := loadPolicies(policyFile)
	if err != nil {
		return nil, err
	}
	var judges bench
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return judges, nil
		}
		if err != nil {
			return nil, err
		}
		crd := &v1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(document, crd); err != nil {
			return nil, err
		}
		if crd.Name == "" {
			continue
		}
		// Crossplane's converter leaves the owner's uid empty, which only a server could fill.
		crd.OwnerReferences = nil
		scheme.Default(crd)
		internal := &apiextensions.CustomResourceDefinition{}
		if err := scheme.Convert(crd, internal, nil); err != nil {
			return nil, err
		}
		internal.Status.StoredVersions = []string{crd.Spec.Versions[0].Name}
		// A CRD that the API server would refuse cannot judge.
		if errs := crdvalidation.ValidateCustomResourceDefinition(context.Background(), internal); len(errs) > 0 {
			return nil, fmt.Errorf("%s: %v", crd.Name, errs.ToAggregate())
		}
		for _, version := range crd.Spec.Versions {
			j, err := newJudge(crd, internal, version.Name)
			if err != nil {
				return nil, err
			}
			if j.namespaced {
				j.policies, j.messages = conditions, messages
			}
			judges = append(judges, j)
		}
	}
}

func newJudge(crd *v1.CustomResourceDefinition, internal *apiextensions.CustomResourceDefinition, version string) (*judge, error) {
	own, err := apiextensions.GetSchemaForVersion(internal, version)
	if err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(own.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(own.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	sub, err := apiextensions.GetSubresourcesForVersion(internal, version)
	if err != nil {
		return nil, err
	}
	var status *apiextensions.CustomResourceSubresourceStatus
	if sub != nil {
		status = sub.Status
	}
	kind := schema.GroupVersionKind{Group: crd.Spec.Group, Version: version, Kind: crd.Spec.Names.Kind}
	namespaced := crd.Spec.Scope == v1.NamespaceScoped
	strategy := customresource.NewStrategy(kinds{kind}, namespaced, kind, validator, nil, structural, status, nil, nil)
	return &judge{kind: kind, structural: structural, strategy: strategy, namespaced: namespaced}, nil
}

// kinds types every object as the one kind that it is.
type kinds struct{ kind schema.GroupVersionKind }

func (k kinds) ObjectKinds(runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	return []schema.GroupVersionKind{k.kind}, false, nil
}
func (k kinds) Recognizes(kind schema.GroupVersionKind) bool { return kind == k.kind }

func loadPolicies(file string) (cel.ConditionEvaluator, []string, error) {
	if file == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var expressions []cel.ExpressionAccessor
	var messages []string
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		policy := &policyv1.ValidatingAdmissionPolicy{}
		if err := yaml.Unmarshal(document, policy); err != nil {
			return nil, nil, err
		}
		if policy.Kind != "ValidatingAdmissionPolicy" {
			continue
		}
		for _, v := range policy.Spec.Validations {
			expressions = append(expressions, &validating.ValidationCondition{Expression: v.Expression})
			messages = append(messages, v.Expression)
		}
	}
	env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion(), true)
	evaluator := cel.NewConditionCompiler(env).CompileCondition(expressions, cel.OptionalVariableDeclarations{}, environment.StoredExpressions)
	if errs := evaluator.CompilationErrors(); len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	return evaluator, messages, nil
}

func file(c court, name string) ([]verdict, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var verdicts []verdict
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return verdicts, nil
		}
		if err != nil {
			return append(verdicts, verdict{File: name, Document: len(verdicts), Errors: []string{err.Error()}}), nil
		}
		body, err := yaml.YAMLToJSON(document)
		if err == nil && string(bytes.TrimSpace(body)) == "null" {
			continue
		}
		if err != nil {
			verdicts = append(verdicts, verdict{File: name, Document: len(verdicts), Errors: []string{err.Error()}})
			continue
		}
		for _, item := range items(body) {
			v := verdict{File: name, Document: len(verdicts)}
			if err := c.try(item, &v); err != nil {
				return nil, err
			}
			verdicts = append(verdicts, v)
		}
	}
}

// items takes a v1 List apart, as kubectl does.
func items(body []byte) [][]byte {
	var list struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(body, &list) != nil || list.Kind != "List" || list.APIVersion != "v1" {
		return [][]byte{body}
	}
	var out [][]byte
	for _, item := range list.Items {
		out = append(out, item)
	}
	return out
}

// identify reads apiVersion and kind, and what the strict decoder has to say; false: no object.
func identify(body []byte, v *verdict) (*unstructured.Unstructured, bool) {
	object := map[string]interface{}{}
	strict, err := kjson.UnmarshalStrict(body, &object)
	if err != nil {
		v.Errors = []string{err.Error()}
		return nil, false
	}
	for _, err := range strict {
		v.Errors = append(v.Errors, err.Error())
	}
	u := &unstructured.Unstructured{Object: object}
	kind, isText, err := unstructured.NestedString(object, "kind")
	v.Kind = kind
	if err != nil || !isText || kind == "" || u.GetAPIVersion() == "" {
		v.Errors = append(v.Errors, "no apiVersion or kind")
		return nil, false
	}
	return u, true
}

func (judges bench) try(body []byte, v *verdict) error {
	u, ok := identify(body, v)
	if !ok {
		return nil
	}
	for _, j := range judges {
		if j.kind == u.GroupVersionKind() {
			v.Errors = append(v.Errors, j.create(u)...)
			v.Accepted = len(v.Errors) == 0
			return nil
		}
	}
	v.Errors = append(v.Errors, "no such kind: "+u.GroupVersionKind().String())
	return nil
}

// create follows customresource_handler.go (decoding), then rest.BeforeCreate, then admission.
func (j *judge) create(u *unstructured.Unstructured) []string {
	defaulting.Default(u.Object, j.structural)
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(u.Object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return []string{err.Error()}
	}
	unknown = append(unknown, pruning.PruneWithOptions(u.Object, j.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	defaulting.PruneNonNullableNullsWithoutDefaults(u.Object, j.structural)
	fieldErr, paths := objectmeta.CoerceWithOptions(nil, u.Object, j.structural, false, objectmeta.CoerceOptions{ReturnUnknownFieldPaths: true})
	if fieldErr != nil {
		return []string{fieldErr.Error()}
	}
	var errs []string
	for _, path := range append(unknown, paths...) {
		errs = append(errs, fmt.Sprintf("unknown field %q", path))
	}
	if found {
		if err := objectmeta.SetObjectMeta(u.Object, meta); err != nil {
			return append(errs, err.Error())
		}
	}
	namespace := u.GetNamespace()
	if j.namespaced {
		namespace = namespaceOf(u)
	}
	if u.GetName() == "" && u.GetGenerateName() != "" {
		u.SetName(u.GetGenerateName() + "x7k2p")
	}
	ctx := request.WithNamespace(context.Background(), namespace)
	rest.FillObjectMetaSystemFields(u)
	if err := rest.BeforeCreate(j.strategy, ctx, u); err != nil {
		return append(errs, err.Error())
	}
	return append(errs, j.admit(ctx, u, namespace)...)
}

func (j *judge) admit(ctx context.Context, u *unstructured.Unstructured, namespace string) []string {
	if j.policies == nil {
		return nil
	}
	resource := schema.GroupVersionResource{Group: j.kind.Group, Version: j.kind.Version}
	attributes := admission.NewAttributesRecord(u, nil, j.kind, namespace, u.GetName(), resource, "", admission.Create, &metav1.CreateOptions{}, false, nil)
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: j.kind, VersionedObject: u}
	results, _, err := j.policies.ForInput(ctx, versioned, &admissionv1.AdmissionRequest{}, cel.OptionalVariableBindings{}, nil, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return []string{err.Error()}
	}
	var errs []string
	for i, result := range results {
		if result.Error != nil {
			errs = append(errs, result.Error.Error())
		} else if held, ok := result.EvalResult.Value().(bool); !ok || !held {
			errs = append(errs, "admission: "+j.messages[i])
		}
	}
	return errs
}

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// ready bounds how long a CRD may take to be served, and a policy to be enforced.
const ready = 60 * time.Second

// server is a running kube-apiserver. It is asked to create each object, as a dry run.
type server struct {
	url    string
	token  string
	client *http.Client
	paths  map[schema.GroupVersionKind]resource
}

type resource struct {
	path, plural string
	namespaced   bool
}

// newServer installs CRDs and policies, and waits until both are in force: until the claim in the
// file refused, which only a policy can refuse, is refused.
func newServer(address, token, ca, crds, policies, refused string) (*server, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	s := &server{url: address, token: token, client: &http.Client{Transport: transport}, paths: map[schema.GroupVersionKind]resource{}}
	err = documents(crds, func(document []byte) error {
		crd := &v1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(document, crd); err != nil || crd.Name == "" {
			return err
		}
		// Crossplane's converter leaves the owner's uid empty, which only a server could fill.
		crd.OwnerReferences = nil
		for _, version := range crd.Spec.Versions {
			kind := schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}
			path := "/apis/" + crd.Spec.Group + "/" + version.Name
			s.paths[kind] = resource{path, crd.Spec.Names.Plural, crd.Spec.Scope == v1.NamespaceScoped}
		}
		return s.install("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
	})
	if err != nil {
		return nil, err
	}
	err = documents(policies, func(document []byte) error {
		object := map[string]interface{}{}
		if err := yaml.Unmarshal(document, &object); err != nil || object["kind"] == nil {
			return err
		}
		plural := map[string]string{
			"ValidatingAdmissionPolicy":        "validatingadmissionpolicies",
			"ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
		}[fmt.Sprint(object["kind"])]
		return s.install("/apis/admissionregistration.k8s.io/v1/"+plural, object)
	})
	if err != nil {
		return nil, err
	}
	return s, s.wait(refused)
}

func documents(file string, use func([]byte) error) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := use(document); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
}

func (s *server) install(path string, object interface{}) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	code, message, err := s.post(path, body)
	if err != nil {
		return err
	}
	// There is what an earlier run on the same server installed.
	if code != http.StatusCreated && code != http.StatusConflict {
		return fmt.Errorf("%s: %d: %s", path, code, message)
	}
	return nil
}

func (s *server) wait(refused string) error {
	text, err := os.ReadFile(refused)
	if err != nil {
		return err
	}
	body, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	for start := time.Now(); time.Since(start) < ready; time.Sleep(200 * time.Millisecond) {
		v := verdict{}
		if err := s.try(body, &v); err != nil {
			return err
		}
		if strings.Contains(strings.Join(v.Errors, " "), "ValidatingAdmissionPolicy") {
			return nil
		}
	}
	return fmt.Errorf("the policies do not refuse %s within %s", refused, ready)
}

// try asks the server to create the object, as kubectl does by default: with field validation Strict.
func (s *server) try(body []byte, v *verdict) error {
	u, ok := identify(body, v)
	if !ok {
		return nil
	}
	found, ok := s.paths[u.GroupVersionKind()]
	if !ok {
		v.Errors = append(v.Errors, "no such kind: "+u.GroupVersionKind().String())
		return nil
	}
	path := found.path + "/" + found.plural
	if found.namespaced {
		path = found.path + "/namespaces/" + url.PathEscape(namespaceOf(u)) + "/" + found.plural
	}
	path += "?dryRun=All&fieldValidation=Strict"
	code, message, err := s.post(path, body)
	missing := fmt.Sprintf("namespaces %q not found", namespaceOf(u))
	if err == nil && code == http.StatusNotFound && message == missing {
		// Whether a claim's namespace exists is not what is judged; whether it can exist is.
		code, message, err = s.namespace(namespaceOf(u))
		for start := time.Now(); err == nil && code == http.StatusCreated && time.Since(start) < ready; time.Sleep(10 * time.Millisecond) {
			code, message, err = s.post(path, body)
			if message != missing {
				break
			}
			// Admission sees a new namespace a moment later.
			code = http.StatusCreated
		}
	}
	switch {
	case err != nil:
		return err
	case code == http.StatusCreated:
		v.Accepted = true
	case code >= http.StatusInternalServerError || code == http.StatusUnauthorized || code == http.StatusTooManyRequests:
		return fmt.Errorf("%s: the server could not judge: %d: %s", path, code, message)
	default:
		v.Errors = append(v.Errors, message)
	}
	return nil
}

func (s *server) namespace(name string) (int, string, error) {
	body, err := json.Marshal(map[string]interface{}{"metadata": map[string]string{"name": name}})
	if err != nil {
		return 0, "", err
	}
	return s.post("/api/v1/namespaces", body)
}

// post gives the status code, and what the server says where it refuses.
func (s *server) post(path string, body []byte) (int, string, error) {
	request, err := http.NewRequest(http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := s.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", err
	}
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &status) != nil {
		status.Message = string(answer)
	}
	return response.StatusCode, status.Message, nil
}

func namespaceOf(u *unstructured.Unstructured) string {
	if namespace := u.GetNamespace(); namespace != "" {
		return namespace
	}
	return "default"
}

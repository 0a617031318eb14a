# The recipes that people and CI share. `make help` lists them; CONTRIBUTING.md says when to use which.
# Exit status of a recipe's own check: 0 fine, 1 findings, 2 it could not do its work (make itself
# always exits 2 when a recipe fails).

CARGO ?= cargo
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: demo
demo: ## the main job, shown: a claim checked, its manifests, a mistake explained (builds eds, under two minutes)
	scripts/demo.sh

.PHONY: build
build: ## release binaries: target/release/eds, target/release/eds-function
	$(CARGO) build --release --locked

.PHONY: dist
dist: ## what is shipped, optimized across crates (takes long): target/dist/eds, eds-function, agent-executor
	scripts/dist.sh eds eds-function agent-executor

.PHONY: release
release: ## all that a release consists of: archives, images, packages, SBOM, checksums, for amd64 and arm64 (takes long)
	scripts/needs.sh release
	scripts/release.sh $(ARGS)

.PHONY: release-test
release-test: ## two releases from two places are equal byte for byte (takes twice as long; ARGS="--binaries DIR")
	scripts/needs.sh release
	scripts/release-test.sh $(ARGS)

.PHONY: test
test: ## everything that must pass before a change lands: lint, all Rust tests, conformance
	scripts/needs.sh test
	$(MAKE) --no-print-directory lint
	$(CARGO) test --workspace --locked
	package/test
	scripts/conformance.sh

.PHONY: lint
lint: ## formatting, clippy and shellcheck, warnings are errors
	$(CARGO) fmt --all --check
	scripts/lint-shell.sh
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: fmt
fmt: ## format the Rust, Go and shell code
	$(CARGO) fmt --all
	scripts/lint-shell.sh --write
	"$$(dirname "$$(scripts/tools.sh go)")/gofmt" -w tools

.PHONY: deny
deny: ## licences, bans and sources of dependencies (ARGS=advisories adds the advisory database)
	deny=$$(scripts/tools.sh cargo-deny) && "$$deny" --locked check bans licenses sources $(ARGS)

.PHONY: conformance
conformance: ## do kubeconform and the Crossplane CLI accept what `eds render` prints?
	scripts/conformance.sh

.PHONY: parity
parity: ## seeded differential test against the real Go function-patch-and-transform (ARGS=...)
	scripts/parity.sh $(ARGS)

.PHONY: bench
bench: ## side by side with Crossplane's CLI and the Go function; prints ratios (bench/README.md)
	scripts/bench.sh $(ARGS)

.PHONY: attack
attack: ## attack eds-function and the Go function, each with a pod's 128 MiB (ARGS="--only regexp")
	scripts/attack.sh $(ARGS)

.PHONY: checkpoints
checkpoints: ## every script of the plan in sequence on the testbed, as one table (root; ARGS=--record keeps it)
	testbed/test --install --checkpoints $(ARGS)

.PHONY: tools
tools: ## build or find the tools the tests judge by, and print their paths
	scripts/tools.sh

.PHONY: generate
generate: ## rewrite the committed schemas of tests/conformance
	go=$$(scripts/tools.sh go) && cd tools/conformance && "$$go" run ./cmd/manifest-schemas -out ../../tests/conformance/schemas

.PHONY: generate-check
generate-check: ## are the committed schemas what their pinned sources say?
	go=$$(scripts/tools.sh go) && cd tools/conformance && "$$go" run ./cmd/manifest-schemas -check -out ../../tests/conformance/schemas

.PHONY: schema
schema: ## write the claim's JSON Schema and the page of its fields from the XRD (ARGS=--check compares)
	scripts/publish-schema.sh $(ARGS)

.PHONY: schema-test
schema-test: ## every fixture and example validates as it announces; the committed schema is up to date
	platform/04-apis/tests/schema-validation.test.sh

.PHONY: policies
policies: ## who may do what, by every account that matters, at a real kube-apiserver
	scripts/policies.sh

.PHONY: judge
judge: ## does `eds validate` agree with the API server's code? (ARGS=--api-server: a real one; COUNT=1000 SEED=1)
	scripts/judge.sh $(ARGS)

.PHONY: admitted
admitted: ## is whatever a claim becomes admitted where Pod Security restricted is enforced? (COUNT=300 SEED=1)
	scripts/admitted.sh

.PHONY: package-test
package-test: ## attacks on package/image and package/build are refused; tools from outside come by hash
	package/test

.PHONY: yaml
yaml: ## is YAML read as kubectl's own code reads it? (COUNT=5000 SEED=1)
	scripts/yaml.sh

.PHONY: fuzz
fuzz: ## mutated claims and XRDs: no panic, bounded output, stable verdicts (FUZZ_CASES=20000 FUZZ_SEED=1)
	FUZZ_CASES=$${FUZZ_CASES:-20000} $(CARGO) test --locked -p eds-claims --test fuzz -- --nocapture

.PHONY: second-opinion
second-opinion: ## what ajv, kubeconform, check-jsonschema, yaml-language-server and actionlint say
	scripts/second-opinion.sh
